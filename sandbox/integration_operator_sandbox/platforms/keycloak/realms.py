"""Realms of a Keycloak as EnMasse's API server uses them: users with attributes, groups for their authorization."""

from __future__ import annotations

import ssl
import time
from typing import Any, Self

import aiohttp

Document = dict[str, Any]


class Realms:
    """Administration of all realms of one Keycloak, whose ``url`` ends with its context path."""

    def __init__(self, url: str, certificate: str, username: str, password: str) -> None:
        self._url = url.rstrip("/")
        self._trust = ssl.create_default_context(cadata=certificate)
        self._login = {"username": username, "password": password}
        self._session: aiohttp.ClientSession | None = None
        self._token = ""
        self._token_until = 0.0

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trust))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def exists(self, realm: str) -> bool:
        """Return True if the realm exists."""
        return await self._call("GET", realm, "") is not None

    async def users(self, realm: str) -> list[Document]:
        """Return the first hundred users of a realm, with all fields: EnMasse never asks for more."""
        found = await self._call("GET", realm, "/users?briefRepresentation=false&max=100")
        return list(found or [])

    async def user(self, realm: str, username: str) -> Document | None:
        """Return the user of exactly that name."""
        found = await self._call("GET", realm, f"/users?username={username}&exact=true&briefRepresentation=false")
        return next((user for user in found or [] if user["username"] == username), None)

    async def create(self, realm: str, user: Document) -> str | None:
        """Create a user and return its id; None if the name is taken."""
        if await self.user(realm, user["username"]) is not None:
            return None
        await self._call("POST", realm, "/users", user)
        made = await self.user(realm, user["username"])
        return made["id"] if made else None

    async def update(self, realm: str, user: Document) -> None:
        """Replace a user."""
        await self._call("PUT", realm, f"/users/{user['id']}", user)

    async def set_password(self, realm: str, identifier: str, password: str) -> None:
        """Set a user's password."""
        body = {"type": "password", "value": password, "temporary": False}
        await self._call("PUT", realm, f"/users/{identifier}/reset-password", body)

    async def delete(self, realm: str, identifier: str) -> None:
        """Delete a user."""
        await self._call("DELETE", realm, f"/users/{identifier}")

    async def groups_of(self, realm: str, identifier: str) -> list[str]:
        """Return the names of a user's groups."""
        return [group["name"] for group in await self._call("GET", realm, f"/users/{identifier}/groups") or []]

    async def set_groups(self, realm: str, identifier: str, wanted: set[str]) -> None:
        """Put a user into exactly these groups. Create those that do not exist."""
        known = {g["name"]: g["id"] for g in await self._call("GET", realm, "/groups?max=1000") or []}
        for name in wanted - known.keys():
            await self._call("POST", realm, "/groups", {"name": name})
        known = {g["name"]: g["id"] for g in await self._call("GET", realm, "/groups?max=1000") or []}
        there = set(await self.groups_of(realm, identifier))
        for name in wanted - there:
            await self._call("PUT", realm, f"/users/{identifier}/groups/{known[name]}", {})
        for name in there - wanted:
            await self._call("DELETE", realm, f"/users/{identifier}/groups/{known[name]}")

    async def _call(self, method: str, realm: str, path: str, body: Any = None) -> Any:
        assert self._session is not None
        if time.monotonic() > self._token_until:
            await self._log_in(self._session)
        headers = {"Authorization": f"Bearer {self._token}"}
        at = f"{self._url}/admin/realms/{realm}{path}"
        async with self._session.request(method, at, json=body, headers=headers) as answer:
            if answer.status == 404:
                return None
            answer.raise_for_status()
            return await answer.json(content_type=None) if answer.status == 200 else {}

    async def _log_in(self, session: aiohttp.ClientSession) -> None:
        form = {"grant_type": "password", "client_id": "admin-cli", **self._login}
        began = time.monotonic()
        async with session.post(f"{self._url}/realms/master/protocol/openid-connect/token", data=form) as answer:
            found = await answer.json()
        self._token, self._token_until = found["access_token"], began + found["expires_in"] / 2
