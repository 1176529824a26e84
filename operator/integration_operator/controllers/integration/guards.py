"""Guards: bounds on what the operator does by itself. How much it deletes at once, offers, and repairs.

In doubt a guard does nothing and reports it, and a user can release what it holds.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.token_bucket import TokenBucket

MIN_VANISHED = 10
"""A loss of fewer objects is never held: small clusters change by large shares."""

REPAIRS, WINDOW = 6, 60.0
"""Repairs of one object in a window of seconds. More mean that another controller changes it back."""

MAX_CREATION_DELAY, FORGIVEN = 60.0, 600.0
"""The longest delay of the creation of an object that others delete, and for how long an object has to stay until that
is forgotten, in seconds."""


@dataclass(slots=True)
class MassDeletionGuard:
    """Holds the pairs whose AddressSpace or Syndesis vanished in one LIST together with too many others.

    A deletion that was watched is certain, and never held. An object that a LIST does not show may be deleted, or the
    server may have been restored without it, or be the wrong one: if more than ``share`` of what Integrations refer to
    is missing, it is held until a user confirms it on the Integration, or the objects exist again.
    """

    share: float
    _held: set[tuple[str, Ref]] = field(default_factory=set)

    def compare(self, kind: str, referred: Iterable[Ref], there: Iterable[Ref]) -> int:
        """Compare what Integrations refer to with what a LIST shows; return how many objects are held now."""
        expected, present = set(referred), set(there)
        missing = expected - present
        self._held = {(k, ref) for k, ref in self._held if k != kind or ref in missing}
        if len(missing) >= MIN_VANISHED and len(missing) > self.share * len(expected):
            self._held |= {(kind, ref) for ref in missing}
        return self.held(kind)

    def held(self, kind: str) -> int:
        """Return how many objects of a kind are held."""
        return sum(1 for k, _ in self._held if k == kind)

    def observe(self, kind: str, ref: Ref) -> None:
        """Note that an object exists: it is held no longer."""
        self._held.discard((kind, ref))

    def holds(self, kind: str, ref: Ref) -> bool:
        """Check if nothing may be concluded from an object's absence."""
        return (kind, ref) in self._held


MAX_OFFERS = 100
"""Unanswered offers from other namespaces in one namespace: as many as a user looks through."""


class OfferLimit:
    """Bounds the Integrations that AddressSpaces of other namespaces may have offered into one namespace.

    ``count`` returns how many unanswered offers from other namespaces a namespace has. Those of its own are not
    limited: whoever creates an AddressSpace there may create an Integration there too.
    """

    def __init__(self, count: Callable[[str], int], most: int = MAX_OFFERS) -> None:
        self._count = count
        self._most = most
        self.exhausted_namespaces: set[str] = set()
        """Namespaces that had as many offers as they may have when they were checked last."""

        self._reserved: set[Pair] = set()

    def exhausted(self, pair: Pair) -> bool:
        """Check if the pair's receiving namespace has as many offers as it may have, and keep the result."""
        namespace = pair.consumer.namespace
        if not pair.crosses_namespaces:
            return False
        others = sum(other.consumer.namespace == namespace and other != pair for other in self._reserved)
        exhausted = self._count(namespace) + others >= self._most
        if exhausted:
            self.exhausted_namespaces.add(namespace)
        else:
            self.exhausted_namespaces.discard(namespace)
        return exhausted

    @contextmanager
    def reserved(self, pair: Pair) -> Iterator[bool]:
        """Count a pair's offer while it is being created; yield False if it is one too many."""
        if self.exhausted(pair):
            yield False
            return
        self._reserved.add(pair)
        try:
            yield True
        finally:
            self._reserved.discard(pair)


class TeardownLimit:
    """Bounds the pairs that are taken down a minute because their AddressSpace or Syndesis is gone.

    It gives an administrator time to stop a mistake. Each pair has its turn, so that none asks again and again.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._bucket = TokenBucket(per_minute / 60.0, per_minute, clock()) if per_minute else None
        self._turns: dict[Pair, float] = {}

    def wait(self, pair: Pair) -> float:
        """Return the seconds until a pair may be taken down, 0.0 if it may be now."""
        if self._bucket is None:
            return 0.0
        now = self._clock()
        if pair not in self._turns:
            self._turns[pair] = now + self._bucket.reserve(now)
        return max(0.0, self._turns[pair] - now)

    @property
    def postponed(self) -> int:
        """The number of pairs that wait for their turn."""
        now = self._clock()
        return sum(turn > now for turn in self._turns.values())

    def forget(self, pair: Pair) -> None:
        """Forget the turn of a pair that is not to be taken down."""
        self._turns.pop(pair, None)


class CreationLimit:
    """Delays the creation of an object that others delete each time: at once, then 1, 2, 4 seconds after the last one.

    The garbage collector deletes a MessagingUser whose AddressSpace is gone, perhaps before a watch has reported the
    AddressSpace; a tool that prunes deletes what it does not know.
    """

    def __init__(self) -> None:
        self._created: dict[tuple[str, Ref], tuple[int, float]] = {}
        """How often and when each object was created last, the oldest first."""

    def wait(self, kind: str, ref: Ref, now: float) -> float:
        """Return the seconds until an object may be created, 0.0 for now."""
        times, last = self._created.get((kind, ref), (0, now))
        delay = 0.0 if times < 2 else min(2.0 ** (times - 2), MAX_CREATION_DELAY)
        return max(0.0, last + delay - now)

    def note(self, kind: str, ref: Ref, now: float) -> None:
        """Note that an object was created; forget those that have stayed for long enough since then."""
        times, last = self._created.pop((kind, ref), (0, now))
        self._created[kind, ref] = (times + 1 if now - last < FORGIVEN else 1), now
        while now - next(iter(self._created.values()))[1] > FORGIVEN:
            del self._created[next(iter(self._created))]

    def times(self, kind: str, ref: Ref) -> int:
        """Return how often an object was created, each time after another client had deleted it."""
        return self._created.get((kind, ref), (0, 0.0))[0]

    def forget(self, kind: str, ref: Ref) -> None:
        """Forget an object that the operator has deleted itself."""
        self._created.pop((kind, ref), None)


class RepairLimit:
    """Counts the repairs of each object in a sliding window.

    A repair applies the same document again, because another client has changed the object.
    """

    def __init__(self, repairs: int = REPAIRS, window: float = WINDOW) -> None:
        self._repairs = repairs
        self._window = window
        self._at: dict[tuple[str, Ref], deque[float]] = {}
        self._applied: dict[tuple[str, Ref], int] = {}

    def wait(self, kind: str, ref: Ref, document: dict[str, Any], now: float) -> float:
        """Return the seconds until the object may be repaired again; 0.0 counts as a repair made now."""
        digest = hash(json.dumps(document, sort_keys=True))
        if self._applied.setdefault((kind, ref), digest) != digest:
            self._applied[kind, ref] = digest
            return 0.0
        at = self._at.setdefault((kind, ref), deque())
        while at and at[0] <= now - self._window:
            at.popleft()
        if len(at) >= self._repairs:
            return at[0] + self._window - now
        at.append(now)
        return 0.0

    def forget(self, kind: str, ref: Ref) -> None:
        """Forget an object that is gone."""
        self._at.pop((kind, ref), None)
        self._applied.pop((kind, ref), None)
