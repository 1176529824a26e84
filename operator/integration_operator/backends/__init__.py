"""Backends: how a rendered document reaches its platform. One interface each for resources and for REST.

A backend carries out actions, which are decided elsewhere; it decides nothing. The Kubernetes backend applies resources
that the platforms reconcile, and the cache shows what becomes of them. Those over REST take the same documents to a
server that no watch shows, and return what they know of it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from integration_operator.domain.model.actions import Apply, Delete, DeleteRemote, EnsureRemote
from integration_operator.domain.model.remote_state import RemoteState
from integration_operator.runtime.conditions import Event


class Backend(Protocol):
    """Carries out actions on resources."""

    async def apply(self, action: Apply) -> list[str]:
        """Apply the document; return the fields that the server did not keep. Raises ``Failure``."""

    async def delete(self, action: Delete) -> None:
        """Delete the object with this uid. One that is gone is a success. Raises ``Failure``."""


class RemoteBackend(Protocol):
    """Carries out actions over REST. Each call may follow one whose answer was lost."""

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        """Ensure that the server has what the document says, writing only what differs.

        Raises ``Failure``, also if a foreign object has the name.
        """

    async def delete(self, action: DeleteRemote) -> Event | None:
        """Delete what is ours, and return a warning for users if there is one. What is gone is a success.

        Raises ``Failure``.
        """

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        """Call back when a server that failed answers again, with the namespace of its Syndesis, None for all pairs."""

    async def close(self) -> None:
        """Close the connections to servers."""
