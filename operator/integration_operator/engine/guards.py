"""Two bounds on what the operator may do by itself: how much it deletes at once, and how often it repairs one object.

Both err on the side of doing nothing and saying so; both hold no more than a person can release.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from integration_operator.domain.pair import Ref

FEWEST = 10
"""A removal of fewer than this many at once never looks like an accident: small clusters change by large shares."""

REPAIRS, WINDOW = 6, 60.0
"""Repairs of one object in one window of seconds, before another controller is taken to fight over it."""


@dataclass(slots=True)
class MassDeletionGuard:
    """Holds the pairs whose AddressSpace or Syndesis vanished in one LIST together with too many others.

    A deletion that was watched is evidence and is never held. What a LIST does not show may be gone, or the server may
    have been restored without it, or be the wrong one: where that takes more than ``share`` of what Integrations refer
    to, it is held until a person confirms it on the Integration, or the objects are back.
    """

    share: float
    _held: set[tuple[str, Ref]] = field(default_factory=set)

    def listed(self, kind: str, referred: Iterable[Ref], there: Iterable[Ref]) -> int:
        """Look at a LIST's answer: what Integrations refer to, and what is there. Return how many are held now."""
        wanted, present = set(referred), set(there)
        missing = wanted - present
        self._held = {(k, ref) for k, ref in self._held if k != kind or ref in missing}
        if len(missing) >= FEWEST and len(missing) > self.share * len(wanted):
            self._held |= {(kind, ref) for ref in missing}
        return sum(1 for k, _ in self._held if k == kind)

    def returned(self, kind: str, ref: Ref) -> None:
        """The object is back."""
        self._held.discard((kind, ref))

    def holds(self, kind: str, ref: Ref) -> bool:
        """Whether nothing may be concluded from the object's absence."""
        return (kind, ref) in self._held


class RepairLimit:
    """Counts the repairs of each object in a sliding window."""

    def __init__(self, repairs: int = REPAIRS, window: float = WINDOW) -> None:
        self._repairs = repairs
        self._window = window
        self._at: dict[tuple[str, Ref], deque[float]] = {}

    def wait(self, kind: str, ref: Ref, now: float) -> float:
        """Seconds until the object may be repaired again; 0.0 counts as a repair made now."""
        at = self._at.setdefault((kind, ref), deque())
        while at and at[0] <= now - self._window:
            at.popleft()
        if len(at) >= self._repairs:
            return at[0] + self._window - now
        at.append(now)
        return 0.0

    def forget(self, kind: str, ref: Ref) -> None:
        """The object is gone."""
        self._at.pop((kind, ref), None)
