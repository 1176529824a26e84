"""Requests of the operator as the API server's audit log has them."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

from tests.support.documents import Document

OPERATOR = "system:serviceaccount:integration-operator:integration-operator"


class AuditLog:
    """The entries of an audit log since a mark. The first mark is set when this is created."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.mark()

    def mark(self) -> None:
        """Forget what is in the log so far."""
        size = self._file.stat().st_size if self._file.exists() else 0
        self._entries: list[Document] = []
        self._offset = max(size - 1, 0)
        self._within_a_line = size > 0
        """Whether the offset is in the last line before the mark, which may be half written yet."""

    def entries(self, user: str = OPERATOR) -> list[Document]:
        """Return all entries of a user, in which the server has answered or has begun to."""
        self._read()
        return [entry for entry in self._entries if entry["user"].get("username") == user]

    def requests(self, user: str = OPERATOR) -> list[Document]:
        """Return the requests of a user that were answered; watches aside."""
        return [e for e in self.entries(user) if e["verb"] != "watch" and e["stage"] == "ResponseComplete"]

    def writes(self, user: str = OPERATOR) -> list[str]:
        """Return the writes of a user as verb and resource; Events aside."""
        return [write for write in self._writes(user) if not write.endswith(" events")]

    def events_posted(self, user: str = OPERATOR) -> int:
        """Return how many Events a user posted."""
        return sum(write.endswith(" events") for write in self._writes(user))

    async def quiet(self, *, seconds: float = 0.5, within: float = 20.0) -> None:
        """Wait until the operator has asked nothing for a while, renewals of its Lease aside."""

        def count() -> int:
            return sum((entry.get("objectRef") or {}).get("resource") != "leases" for entry in self.requests())

        until = time.monotonic() + within
        known, since = count(), time.monotonic()
        while time.monotonic() - since < seconds:
            assert time.monotonic() < until, f"still busy: {Counter(self._writes(OPERATOR)).most_common(5)}"
            await asyncio.sleep(0.05)
            if (now := count()) != known:
                known, since = now, time.monotonic()

    def _writes(self, user: str) -> list[str]:
        return [
            f"{e['verb']} {'/'.join(filter(None, (e['objectRef']['resource'], e['objectRef'].get('subresource'))))}"
            for e in self.requests(user)
            if e["verb"] not in ("get", "list")
        ]

    def _read(self) -> None:
        """Read the lines that are complete and were not read yet."""
        with self._file.open("rb") as log:
            log.seek(self._offset)
            for line in log:
                if not line.endswith(b"\n"):
                    break
                self._offset += len(line)
                if not self._within_a_line:
                    self._entries.append(json.loads(line))
                self._within_a_line = False
