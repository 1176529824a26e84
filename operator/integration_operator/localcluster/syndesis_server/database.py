"""Where connections are kept: a table with a cache in front, and what goes wrong between the two.

Ids go unescaped into SQL's LIKE, where an underscore stands for any character (SqlJsonDB.java:305-330, 512-527). What a
deletion took out of the table is still answered from the cache (recorded on 1.13.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

Document = dict[str, Any]

FORBIDDEN = re.compile(r"[.%$#\[\]/\x00-\x1f\x7f]")
LONGEST_KEY = 768


class InvalidKey(Exception):
    """A key of an object, or an id, that the database cannot hold (JsonRecordSupport.java:107-130)."""


class Exists(Exception):
    """There is something under that id, in the table or in the cache."""


class Database:
    """Connections by id."""

    def __init__(self, connections: Iterable[Document]) -> None:
        self._rows = {connection["id"]: connection for connection in connections}
        self._cache = dict(self._rows)

    def rows(self) -> list[Document]:
        """What is really there, by id."""
        return [self._rows[identifier] for identifier in sorted(self._rows)]

    def fetch(self, identifier: str) -> Document | None:
        """What a GET by id shows."""
        if identifier not in self._cache and identifier in self._rows:
            self._cache[identifier] = self._rows[identifier]
        return self._cache.get(identifier)

    def create(self, connection: Document) -> None:
        """Insert a row. Raises ``Exists`` and ``InvalidKey``."""
        if self.fetch(connection["id"]) is not None:
            raise Exists(connection["id"])
        self._put(connection)

    def update(self, connection: Document) -> bool:
        """Replace the row of the id inside; False where there is none."""
        if self.fetch(connection["id"]) is None:
            return False
        self._put(connection)
        return True

    def delete(self, identifier: str) -> None:
        """Delete every row whose id is like this one."""
        like = re.compile("".join("." if c == "_" else re.escape(c) for c in identifier))
        gone = [row for row in self._rows if like.fullmatch(row)]
        for row in gone:
            del self._rows[row]
        if identifier not in gone:
            self._cache.pop(identifier, None)

    def _put(self, connection: Document) -> None:
        for key in _keys(connection):
            if len(key) > LONGEST_KEY or FORBIDDEN.search(key):
                raise InvalidKey(key)
        if FORBIDDEN.search(connection["id"]):
            raise InvalidKey(f":{connection['id']}")
        self._rows[connection["id"]] = self._cache[connection["id"]] = connection


def _keys(node: Any) -> Iterable[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from _keys(value)
