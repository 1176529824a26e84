"""Every credential that a Secret had at any moment of a run, as one who watches the Secrets sees it."""

from __future__ import annotations

import asyncio
import base64
import json
from contextlib import suppress
from typing import Self

import aiohttp

from tests.support.faults.admin import Admin

KEYS = {"password": "", "word": "", "next-password": " (next)"}
"""Keys of a password in a generated Secret, in one that a scenario brings, and of the one that a rotation will move to,
with what is added to the name of the Secret for it."""

NO_LIMIT = aiohttp.ClientTimeout(total=None)


class CredentialWatch:
    """Watches all Secrets for the life of an ``async with``."""

    def __init__(self, admin: Admin) -> None:
        self.passwords: dict[str, list[str]] = {}
        """The different passwords of each Secret in their order, by ``namespace/name`` and the addition in ``KEYS``."""
        self._admin = admin

    async def __aenter__(self) -> Self:
        listed = await self._admin.get("/api/v1/secrets") or {}
        self._watching = asyncio.create_task(self._watch(listed["metadata"]["resourceVersion"]))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._watching.cancel()
        with suppress(asyncio.CancelledError):
            await self._watching

    def all(self) -> set[str]:
        """Return all passwords."""
        return {password for seen in self.passwords.values() for password in seen}

    async def _watch(self, version: str) -> None:
        url = f"{self._admin.server}/api/v1/secrets?watch=true&resourceVersion={version}"
        headers = {"Authorization": f"Bearer {self._admin.token}"}
        async with self._admin.session.get(url, headers=headers, timeout=NO_LIMIT) as stream:
            async for line in stream.content:
                event = json.loads(line)
                self._note(event["object"])

    def _note(self, secret: dict[str, dict[str, str]]) -> None:
        data, name = secret.get("data") or {}, f"{secret['metadata']['namespace']}/{secret['metadata']['name']}"
        for key in KEYS.keys() & data.keys():
            seen = self.passwords.setdefault(f"{name}{KEYS[key]}", [])
            password = base64.b64decode(data[key]).decode(errors="replace")
            if not seen or seen[-1] != password:
                seen.append(password)
