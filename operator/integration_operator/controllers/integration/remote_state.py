"""What is known of state over REST, for each Integration, and when it is to be read again.

No watch shows a change over REST, so that each Integration's state is read once in a period: its two sides in turn, at
a random time, one request for each pair and period. After a start, the status of the Integration is what is known.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from integration_operator.domain.model.actions import ChildKind
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.remote_state import (
    Presence,
    RemoteDelivery,
    RemoteSides,
    RemoteState,
    parse_status,
)


@dataclass(slots=True)
class _Entry:
    sides: RemoteSides
    due_at: float
    user_next: bool = False


class RemoteStateStore:
    """The states of all Integrations; ``period`` is in seconds."""

    def __init__(self, period: float, clock: Callable[[], float], jitter: Callable[[], float] = random.random) -> None:
        self.period = period
        self._clock = clock
        self._jitter = jitter
        self._entries: dict[str, _Entry] = {}

    def of(self, integration: Integration) -> RemoteSides:
        """Return what is known of an Integration's state over REST; one side may be ``due``."""
        entry = self._entry(integration)
        sides = entry.sides
        if sides.absent or self._clock() < entry.due_at:
            return sides
        if sides.user.present and (entry.user_next or not sides.connection.present):
            second_user = replace(sides.second_user, due=sides.second_user.present)
            return replace(sides, user=replace(sides.user, due=True), second_user=second_user)
        return replace(sides, connection=replace(sides.connection, due=True))

    def begin(self, integration: Integration) -> None:
        """Note that state over REST is about to be created: until now there is none."""
        self._entries.setdefault(integration.live.uid, self._entry(integration))

    def note(
        self,
        integration: Integration,
        kind: ChildKind,
        state: RemoteState,
        *,
        username: str | None = None,
        platform: str = "",
    ) -> None:
        """Note what a call has shown of one side, on the platform with this uid.

        ``username`` is the user's, None for all users.
        """
        self._put(integration, kind, username, replace(state, due=False, platform=platform))

    def doubt(self, integration: Integration, kind: ChildKind, delivery: RemoteDelivery, username: str | None) -> None:
        """Note that a call failed, which may have taken effect.

        Drop the confirmed hashes; assume that the object may exist under its intended name. What the password of a
        connection is, only the ConnectionService knows (backends/syndesis/connection_service.py).
        """
        sides = self._entry(integration).sides
        if kind == "MessagingUser":
            side = sides.user_named(username) if username else sides.user
            side = replace(side, id=side.id or username, credentials="")
        else:
            side = sides.connection
        presence = Presence.PRESENT if side.present else Presence.UNKNOWN
        doubted = replace(side, delivery=side.delivery or delivery, presence=presence, applied="", due=False)
        self._put(integration, kind, username, doubted)

    def seconds_until_due(self, integration: Integration) -> float:
        """Return the seconds until the state is to be read again, 0.0 if there is none.

        A read that is due and was not done, because something else prevented it, waits for another period.
        """
        entry = self._entries.get(integration.live.uid)
        if entry is None or entry.sides.absent:
            return 0.0
        left = entry.due_at - self._clock()
        return max(1.0, left) if left > 0 else self.period

    def inherit(self, old: Integration, new: Integration) -> None:
        """Take what is known of an Integration for its successor."""
        entry = self._entries.get(old.live.uid)
        if entry is not None and self._entry(new).sides.absent:
            self._entries[new.live.uid] = entry

    def forget(self, integration: Integration) -> None:
        """Forget an Integration that is gone."""
        self._entries.pop(integration.live.uid, None)

    def _put(self, integration: Integration, kind: ChildKind, username: str | None, state: RemoteState) -> None:
        self.begin(integration)
        entry = self._entries[integration.live.uid]
        if kind == "MessagingUser":
            entry.sides = entry.sides.with_user(username, state)
        else:
            entry.sides = replace(entry.sides, connection=state)
        entry.user_next = kind == "Connection"
        entry.due_at = self._clock() + self.period * (0.9 + 0.2 * self._jitter())

    def _entry(self, integration: Integration) -> _Entry:
        if (noted := self._entries.get(integration.live.uid)) is not None:
            return noted
        sides = parse_status(
            integration.status, finalizer=integration.holds_rest_state, about_to_create=integration.rest_user
        )
        if integration.is_binding:  # whatever its status says, which a tenant may have written
            sides = replace(sides, connection=RemoteState())
        entry = _Entry(sides, self._clock() + self.period * self._jitter())
        if not sides.absent or integration.holds_rest_state:
            self._entries[integration.live.uid] = entry
        return entry
