"""Writing connections: the rules that Syndesis checks, and when it encrypts.

Other requests are served between the check that a name is free and the write, so two connections can get one name.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Mapping

from integration_operator_sandbox.platforms.syndesis_server.answers import defect, not_found, violation
from integration_operator_sandbox.platforms.syndesis_server.connectors import Connectors
from integration_operator_sandbox.platforms.syndesis_server.database import Connection, Database
from integration_operator_sandbox.platforms.syndesis_server.encryption import Encryption

WINDOW = 0.01
"""Seconds from the check to the write: long enough for clients that write at the same time to collide."""
COLLIDES = 3
"""Of concurrent updates of one connection, each third one fails."""


class Connections:
    """Writes connections. Raises the answer if a write is refused."""

    def __init__(self, database: Database, connectors: Connectors, encryption: Encryption) -> None:
        self._database = database
        self._connectors = connectors
        self._encryption = encryption
        self._updating: Counter[str] = Counter()

    def validate(self, connection: Connection, prefix: str = "") -> None:
        """Refuse a connection without a name, or with the name of another stored one."""
        prop = f"{prefix}name"
        if "name" not in connection:
            raise violation("NotNull", "Value is required", prop)
        if self._database.ids_named(connection["name"]) - {connection.get("id")}:
            raise violation("UniqueProperty", f"Value '{connection['name']}' is not unique", prop)

    async def create(self, connection: Connection, user: str) -> Connection:
        """Store a new connection. Its secrets are encrypted if its connector is known."""
        self.validate(connection, "create.obj.")
        await asyncio.sleep(WINDOW)
        now = _now()
        created = {**self._encrypted(connection), "userId": user, "createdDate": now, "lastUpdated": now}
        return self._database.create(created)

    async def replace(self, connection: Connection) -> None:
        """Replace the connection that has the same id; fields that are left out are lost."""
        self.validate(connection, "update.obj.")
        await self._update({**self._encrypted(connection), "lastUpdated": _now()})

    async def replace_patched(self, connection: Connection) -> None:
        """Store the result of a patch as it is: nothing is encrypted, and no date changes."""
        self.validate(connection)
        await self._update(connection)

    async def set_properties(self, connection: Connection, values: Mapping[str, str | None]) -> None:
        """Change some properties only."""
        if self._connectors.get(connection.get("connectorId")) is None or None in values.values():
            raise defect("null")
        given = {name: value for name, value in values.items() if value is not None}
        encrypted = self._encryption.encrypt_secrets(given, self._connectors.secrets(connection["connectorId"]))
        properties = {**connection.get("configuredProperties", {}), **encrypted}
        await self._update({**connection, "configuredProperties": properties, "lastUpdated": _now()})

    def by_name_or_id(self, name_or_id: str) -> Connection | None:
        """Return the connection of that name; if there is none, the one of that id."""
        named = sorted(self._database.ids_named(name_or_id))
        return self._database.fetch(named[0] if named else name_or_id)

    def existing(self, id_: str) -> Connection:
        """Return the connection of that id. Raises the answer that it does not exist."""
        found = self._database.fetch(id_)
        if found is None:
            raise not_found()
        return found

    def overview(self, connection: Connection) -> Connection:
        """Return the connection with the definition of its connector and an empty board of warnings."""
        connector = self._connectors.get(connection.get("connectorId"))
        board = {"board": {"createdAt": 0, "updatedAt": 0}}
        return {**connection, **({"connector": connector} if connector else {}), **board}

    def _encrypted(self, connection: Connection) -> Connection:
        properties = connection.get("configuredProperties")
        if not properties:
            return connection
        secret = self._connectors.secrets(connection.get("connectorId"))
        return {**connection, "configuredProperties": self._encryption.encrypt_secrets(properties, secret)}

    async def _update(self, connection: Connection) -> None:
        id_ = connection.get("id", "")
        place = self._updating[id_]
        self._updating[id_] += 1
        try:
            await asyncio.sleep(WINDOW)
        finally:
            self._updating[id_] -= 1
        if place % COLLIDES == COLLIDES - 1:
            raise defect("the write has met another one of the same connection")
        self._database.update(connection)


def _now() -> int:
    return time.time_ns() // 1_000_000
