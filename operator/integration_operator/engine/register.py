"""What is known of state over REST, for each Integration: noted after each call, and when it is to be looked at again.

Nothing tells when it is changed there, so each Integration is looked at once in a period, its two sides by
turns: one read a pair and period, spread over it. After a start the status of the Integration is what is known.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from integration_operator.domain.actions import Child
from integration_operator.domain.integration import Integration
from integration_operator.domain.remote import OverRest, Remote, RemoteState, noted


@dataclass(slots=True)
class _Entry:
    state: RemoteState
    look_at: float
    user_next: bool = False


class RemoteRegister:
    """The register of one process; ``period`` in seconds."""

    def __init__(self, period: float, clock: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self.period = period
        self._clock = clock
        self._jitter = jitter
        self._entries: dict[str, _Entry] = {}

    def of(self, integration: Integration) -> RemoteState:
        """Return what is known of an Integration's state over REST; the side whose turn it is may be ``due``."""
        entry = self._entry(integration)
        state = entry.state
        if state.nothing or self._clock() < entry.look_at:
            return state
        if state.user.exists and (entry.user_next or not state.connection.exists):
            return replace(state, user=replace(state.user, due=True))
        return replace(state, connection=replace(state.connection, due=True))

    def begin(self, integration: Integration) -> None:
        """Note that state over REST is about to be created: until now there is none."""
        self._entries.setdefault(integration.live.uid, self._entry(integration))

    def note(self, integration: Integration, kind: Child, side: Remote, *, platform: str = "") -> None:
        """Note what a call has shown of one side, on the platform of this uid."""
        self._put(integration, kind, replace(side, due=False, platform=platform))

    def doubt(self, integration: Integration, kind: Child, how: OverRest, username: str | None) -> None:
        """Doubt one side after a failed call, which may have taken effect.

        Drop the confirmed hashes; assume that the object may exist under its intended name. Which secret a
        connection has is known better by what sends it (delivery/syndesis/server.py).
        """
        state = self._entry(integration).state
        if kind == "MessagingUser":
            side = replace(state.user, id=state.user.id or username, credentials="")
        else:
            side = state.connection
        left = replace(side, delivery=side.delivery or how, exists=side.exists or None, applied="", due=False)
        self._put(integration, kind, left)

    def seconds_to_look(self, integration: Integration) -> float:
        """Return the seconds until the Integration is to be looked at, 0.0 if there is nothing to look at.

        What is due and was just not looked at, because something else stands in the way, waits for another period.
        """
        entry = self._entries.get(integration.live.uid)
        if entry is None or entry.state.nothing:
            return 0.0
        left = entry.look_at - self._clock()
        return max(1.0, left) if left > 0 else self.period

    def inherit(self, old: Integration, new: Integration) -> None:
        """Know of an Integration what was known of the one that stood for its pair before."""
        entry = self._entries.get(old.live.uid)
        if entry is not None and self._entry(new).state.nothing:
            self._entries[new.live.uid] = entry

    def forget(self, integration: Integration) -> None:
        """Forget an Integration that is gone."""
        self._entries.pop(integration.live.uid, None)

    def _put(self, integration: Integration, kind: Child, side: Remote) -> None:
        self.begin(integration)
        entry = self._entries[integration.live.uid]
        if kind == "MessagingUser":
            entry.state = replace(entry.state, user=side)
        else:
            entry.state = replace(entry.state, connection=side)
        entry.user_next = kind == "Connection"
        entry.look_at = self._clock() + self.period * (0.9 + 0.2 * self._jitter())

    def _entry(self, integration: Integration) -> _Entry:
        known = self._entries.get(integration.live.uid)
        if known is not None:
            return known
        state = noted(integration.status, finalizer=integration.holds_rest_state)
        entry = _Entry(state, self._clock() + self.period * self._jitter())
        if not state.nothing or integration.holds_rest_state:
            self._entries[integration.live.uid] = entry
        return entry
