"""How a rendered document reaches its platform: one interface, one implementation for each way.

A delivery takes actions, which are decided elsewhere, and does them; it decides nothing. The native one applies
resources that the platforms reconcile themselves. Deliveries over REST take the same documents and plug in beside it.
"""

from __future__ import annotations

from typing import Protocol

from integration_operator.domain.actions import Apply, Remove


class Delivery(Protocol):
    """Does what was decided for one side of a pair."""

    async def apply(self, action: Apply) -> list[str]:
        """Bring the document to its platform; return the fields that the platform did not take.

        Raises ``ApiError`` where it is refused.
        """

    async def remove(self, action: Remove) -> None:
        """Remove the object of that uid; that it is gone already is success."""
