"""Every credential that a Secret or a MessagingUser had at any moment of a run, as one who watches them sees it."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

import aiohttp

from tests.support.faults.admin import Admin

KEYS = {"password": "", "word": "", "next-password": " (next)"}
"""Keys of a password in a generated Secret, in one that a scenario brings, and of the one that a rotation will move to,
with what is added to the name of the Secret for it."""

NO_LIMIT = aiohttp.ClientTimeout(total=None)


SECRETS = "/api/v1/secrets"
USERS = "/apis/user.enmasse.io/v1beta1/messagingusers"


class CredentialWatch:
    """Watches all Secrets and MessagingUsers for the life of an ``async with``."""

    def __init__(self, admin: Admin) -> None:
        self.passwords: dict[str, list[str]] = {}
        """The different passwords of each Secret in their order, by ``namespace/name`` and the addition in ``KEYS``."""
        self.users: dict[str, set[str]] = {}
        """The uids of all MessagingUsers that had a name, by ``namespace/name``."""
        self._admin = admin
        self._recorded: dict[str, int] = {}
        """The revision of the store in which each password came into a Secret."""
        self._used: dict[str, int] = {}
        """The revision in which each password came into a MessagingUser."""
        self._watching: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for path, note in ((SECRETS, self._note), (USERS, self._note_user)):
            if (listed := await self._admin.get(path)) is not None:
                watch = self._watch(path, listed["metadata"]["resourceVersion"], note)
                self._watching.append(asyncio.create_task(watch))
        return self

    async def __aexit__(self, *_: object) -> None:
        for watching in self._watching:
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching

    def all(self) -> set[str]:
        """Return all passwords."""
        return {password for seen in self.passwords.values() for password in seen}

    def unrecorded(self) -> list[str]:
        """Say how many passwords EnMasse got before a Secret had them: a process that is killed loses them."""
        early = [word for word, used in self._used.items() if self._recorded.get(word, used + 1) > used]
        return [f"{len(early)} passwords were in a MessagingUser before they were in a Secret"] if early else []

    async def _watch(self, path: str, version: str, note: Callable[[dict[str, Any]], None]) -> None:
        url = f"{self._admin.server}{path}?watch=true&resourceVersion={version}"
        headers = {"Authorization": f"Bearer {self._admin.token}"}
        async with self._admin.session.get(url, headers=headers, timeout=NO_LIMIT) as stream:
            async for line in stream.content:
                event = json.loads(line)
                note(event["object"])

    def _note_user(self, user: dict[str, Any]) -> None:
        metadata = user["metadata"]
        self.users.setdefault(f"{metadata['namespace']}/{metadata['name']}", set()).add(metadata["uid"])
        if password := user["spec"]["authentication"].get("password"):
            word = base64.b64decode(password).decode(errors="replace")
            self._used.setdefault(word, int(metadata["resourceVersion"]))

    def _note(self, secret: dict[str, Any]) -> None:
        data, name = secret.get("data") or {}, f"{secret['metadata']['namespace']}/{secret['metadata']['name']}"
        for key in KEYS.keys() & data.keys():
            seen = self.passwords.setdefault(f"{name}{KEYS[key]}", [])
            password = base64.b64decode(data[key]).decode(errors="replace")
            self._recorded.setdefault(password, int(secret["metadata"]["resourceVersion"]))
            if not seen or seen[-1] != password:
                seen.append(password)
