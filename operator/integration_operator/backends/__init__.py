"""Backends deliver rendered documents to a platform. There is one interface for resources and one for REST.

A backend executes actions and makes no decisions. The Kubernetes backend applies resources that the platforms
reconcile; the cache watches their status. A REST backend sends the same documents to a server that cannot be watched,
and returns the resulting ``RemoteState``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from integration_operator.domain.model.actions import Apply, Delete, DeleteRemote, EnsureRemote
from integration_operator.domain.model.remote_state import RemoteState
from integration_operator.runtime.conditions import Event


class Backend(Protocol):
    """Executes actions on resources."""

    async def apply(self, action: Apply) -> list[str]:
        """Apply the document; return the fields that the server did not keep. Raises ``Failure``."""

    async def delete(self, action: Delete) -> None:
        """Delete the object with this uid; succeed if it does not exist. Raises ``Failure``."""


class RemoteBackend(Protocol):
    """Executes actions over REST. Any call may follow one whose answer was lost."""

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        """Make the server match the document; write only differences.

        Raises ``Failure``, also if a foreign object has the name.
        """

    async def delete(self, action: DeleteRemote) -> Event | None:
        """Delete the pair's object and return a warning for users, if any; succeed if it does not exist.

        Raises ``Failure``.
        """

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        """Call ``callback`` when a server recovers, with the namespace of its Syndesis, or None for all pairs."""

    def open_circuits(self) -> int:
        """Return the number of servers to which requests are held back, because they fail."""

    async def close(self) -> None:
        """Close the connections to servers."""
