"""Logins in a real Keycloak as EnMasse's MessagingUser controller writes them since 0.31 (client.go @0.33.1)."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote_plus

from integration_operator_sandbox.platforms.keycloak.realms import Realms

Document = dict[str, Any]


class KeptLogins:
    """Writes the logins of MessagingUsers, one after another, as the controller does."""

    def __init__(self, realms: Realms) -> None:
        self._realms = realms

    async def keep(self, realm: str, user: Document, password: str) -> str | None:
        """Create or update the login; return the controller's message if that fails.

        Without a password the user is created, or keeps its password: EnMasse's upgrade leaves users like that.
        """
        if not await self._realms.exists(realm):
            return "404 Not Found: Realm not found."
        username = user["spec"]["username"]
        found = await self._realms.user(realm, username)
        if found is None:
            attributes = {
                "resourceName": [user["metadata"]["name"]],
                "resourceNamespace": [user["metadata"]["namespace"]],
                "authenticationType": ["password"],
                "fromCrd": ["true"],
            }
            identifier = await self._realms.create(
                realm, {"username": username, "enabled": True, "attributes": attributes}
            )
            assert identifier is not None
        elif "resourceName" not in (found.get("attributes") or {}):
            return "Unable to find user attribute resourceName"
        else:
            identifier = found["id"]
        if password:
            await self._realms.set_password(realm, identifier, password)
        await self._realms.set_groups(realm, identifier, _groups(user))
        return None

    async def remove(self, realm: str, username: str) -> None:
        """Delete the login, if the realm exists and has it."""
        if (found := await self._realms.user(realm, username)) is not None:
            await self._realms.delete(realm, found["id"])


def _groups(user: Document) -> set[str]:
    """Return the groups for a user's authorization, encoded as Go does: ``*`` becomes ``%2A`` (client.go:190-211)."""
    found = set()
    for rule in user["spec"].get("authorization") or ():
        for operation in rule["operations"]:
            if operation in ("send", "recv"):
                found |= {f"{operation}_{quote_plus(address, safe='')}" for address in rule.get("addresses") or ()}
            else:
                found.add({"view": "monitor"}.get(operation, operation))
    return found
