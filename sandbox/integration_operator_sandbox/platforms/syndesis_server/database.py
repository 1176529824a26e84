"""The database of connections with the cache in front of it, and what the two do to each other.

Rows are found by ``LIKE`` with the id as it is, so that ``_`` in an id stands for any character. A connection is read
by id through a cache, listed and looked up by name from the rows: after a delete the two may differ for as long as the
server runs. Nothing here is locked, and no name is unique by itself.
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
    """Connections by id. What goes in and comes out is a copy."""

    def __init__(self) -> None:
        self.rows: dict[str, Connection] = {}
        self.cache: dict[str, Connection] = {}
        self.cache_keeps_deleted = True
        """Whether a reader was under way when a row was deleted, and has put what it had read into the cache."""

    def put(self, connection: Connection) -> None:
        """Write a row past everything, as if before the server has started."""
        self.rows[connection["id"]] = copy.deepcopy(connection)
        self.cache.pop(connection["id"], None)

    def fetch(self, id_: str) -> Connection | None:
        """One connection, from the cache where it has it, deleted or not."""
        if id_ not in self.cache and id_ in self.rows:
            self.cache[id_] = copy.deepcopy(self.rows[id_])
        return copy.deepcopy(self.cache.get(id_))

    def all(self) -> list[Connection]:
        """All rows in the order of their paths, past the cache."""
        return [copy.deepcopy(self.rows[id_]) for id_ in sorted(self.rows, key=lambda id_: f":{id_}/")]

    def ids_named(self, name: str) -> set[str]:
        """The connections that have this very name, past the cache."""
        return {id_ for id_, row in self.rows.items() if row.get("name") == name}

    def create(self, connection: Connection) -> Connection:
        """Insert; the answer says so even where a row stands in the way that the cache did not know."""
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
        """Replace the connection that the body names, and with it all that are like it.

        One that only the cache still has is replaced there, and the answer is the same.
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
        """Delete the connection and all that are like it; only its own place in the cache is emptied."""
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
    """An id as the server makes them."""
    return f"i-{base64.urlsafe_b64encode(secrets.token_bytes(15)).decode()[:19].replace('_', '-')}z"


def _check_keys(value: Any) -> None:
    """Refuse what the database cannot have as a key of an object, at any depth; values are free."""
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
