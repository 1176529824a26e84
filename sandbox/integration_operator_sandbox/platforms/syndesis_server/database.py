"""The database of connections, and the cache in front of it.

Rows are found by ``LIKE`` with the unescaped id, so that ``_`` in an id matches any character. A connection is read by
id through a cache, but listed and looked up by name from the rows: after a delete the two may differ until the server
stops. Nothing here is locked, and no name is unique by itself.
"""

from __future__ import annotations

import base64
import copy
import re
import secrets
from typing import Any

from integration_operator_sandbox.platforms.syndesis_server.answers import defect, not_found

Connection = dict[str, Any]

FORBIDDEN_IN_KEYS = re.compile(r"[.%$#\[\]/\x00-\x1f\x7f]")
LONGEST_KEY = 768


class Database:
    """Connections by id. All arguments and results are copied."""

    def __init__(self) -> None:
        self.rows: dict[str, Connection] = {}
        self.cache: dict[str, Connection] = {}
        self.cache_keeps_deleted = True
        """True if a concurrent reader puts a deleted row back into the cache."""

    def put(self, connection: Connection) -> None:
        """Write a row without any check, as if before the start of the server."""
        self.rows[connection["id"]] = copy.deepcopy(connection)
        self.cache.pop(connection["id"], None)

    def fetch(self, id_: str) -> Connection | None:
        """Return a connection from the cache, even if it was deleted, otherwise from the rows."""
        if id_ not in self.cache and id_ in self.rows:
            self.cache[id_] = copy.deepcopy(self.rows[id_])
        return copy.deepcopy(self.cache.get(id_))

    def all(self) -> list[Connection]:
        """Return all rows in the order of their paths, without the cache."""
        return [copy.deepcopy(self.rows[id_]) for id_ in sorted(self.rows, key=lambda id_: f":{id_}/")]

    def ids_named(self, name: str) -> set[str]:
        """Return the ids of the connections with exactly this name, without the cache."""
        return {id_ for id_, row in self.rows.items() if row.get("name") == name}

    def create(self, connection: Connection) -> Connection:
        """Insert a row. Succeed even if a row exists that the cache does not have."""
        if "id" not in connection:
            self._refuse_taken_name(connection)
            connection = {**connection, "id": new_id()}
        id_ = connection["id"]
        if id_ in self.cache:
            raise defect(f"There already exists a connection with id {id_}")
        _check_keys({f":{id_}": connection})
        if not self._like(id_):
            self.rows[id_] = copy.deepcopy(connection)
        self.cache[id_] = copy.deepcopy(connection)
        return copy.deepcopy(connection)

    def update(self, connection: Connection) -> None:
        """Replace the connection that the body names, and all that match its id by ``LIKE``.

        One that only the cache still has is replaced there, with the same answer.
        """
        id_ = connection.get("id")
        if id_ is None:
            raise not_found("Setting the id on the entity is required for updates")
        self._refuse_taken_name(connection)
        if id_ in self.rows:
            _check_keys({f":{id_}": connection})
            for like in self._like(id_):
                del self.rows[like]
            self.rows[id_] = copy.deepcopy(connection)
        elif id_ not in self.cache:
            raise not_found(f"Can not find connection with id {id_}")
        self.cache[id_] = copy.deepcopy(connection)

    def delete(self, id_: str) -> None:
        """Delete the connection and all that match its id by ``LIKE``. Only its own cache entry is removed."""
        self.cache.pop(id_, None)
        for like in self._like(id_):
            row = self.rows.pop(like)
            if like == id_ and self.cache_keeps_deleted:
                self.cache[id_] = row

    def _like(self, id_: str) -> list[str]:
        wildcards = {"_": ".", "%": ".*"}
        pattern = re.compile("".join(wildcards.get(char, re.escape(char)) for char in id_), re.DOTALL)
        return [row for row in self.rows if pattern.fullmatch(row)]

    def _refuse_taken_name(self, connection: Connection) -> None:
        if self.ids_named(connection["name"]) - {connection.get("id")}:
            raise defect(f"There already exists a Connection with name {connection['name']}")


def new_id() -> str:
    """Return a new id, as the server creates them."""
    return f"i-{base64.urlsafe_b64encode(secrets.token_bytes(15)).decode()[:19].replace('_', '-')}z"


def _check_keys(value: Any) -> None:
    """Refuse keys of objects, at any depth, that the database cannot store. Values are not checked."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if FORBIDDEN_IN_KEYS.search(key):
                characters = "., %, $, #, [, ], /, or ASCII control characters 0-31 or 127"
                raise defect(f"Invalid key. Cannot contain {characters}. Key: {key}")
            if len(key) > LONGEST_KEY:
                raise defect(f"Invalid key. Key cannot be longer than {LONGEST_KEY}.")
            _check_keys(inner)
    elif isinstance(value, list):
        for inner in value:
            _check_keys(inner)
