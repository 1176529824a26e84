"""How a rendered document reaches its platform: one interface each for the two ways there are.

A delivery takes actions, which are decided elsewhere, and does them; it decides nothing. The native one applies
resources that the platforms reconcile themselves, and sees in the stores what becomes of them. Those over REST take the
same documents to a server that shows nothing by itself, and return what they know of it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from integration_operator.domain.actions import Apply, Deliver, Remove, Withdraw
from integration_operator.domain.conditions import Announcement
from integration_operator.domain.remote import Remote


class Delivery(Protocol):
    """Does what was decided for resources."""

    async def apply(self, action: Apply) -> list[str]:
        """Bring the document to its platform; return the fields that the platform did not take.

        Raises ``Failure`` where it is refused.
        """

    async def remove(self, action: Remove) -> None:
        """Remove the object of that uid; that it is gone already is success."""


class RemoteDelivery(Protocol):
    """Does what was decided for one side over REST. Each call may follow one whose answer was lost."""

    async def deliver(self, action: Deliver) -> Remote:
        """Bring the document to its server, or see that it is there, writing only what differs.

        Raises ``Failure`` where it is refused, among them where a stranger has the name.
        """

    async def withdraw(self, action: Withdraw) -> Announcement | None:
        """Remove what is ours; that it is gone already is success.

        Returns a warning for people, where there is one. Raises ``Failure``.
        """

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        """Call back when a server that failed answers again, with the namespace of its Syndesis, None for all pairs."""

    async def close(self) -> None:
        """Close the connections to servers."""
