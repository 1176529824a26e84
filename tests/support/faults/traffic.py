"""Requests between the operator and the servers in one run: counted, numbered as boundaries, kept for reports."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from tests.support.faults.boundaries import Boundary, Numbering, Sort

BYSTANDERS = "bystanders"
"""Part of the names of namespaces beside the scenarios."""
LAST_WATCH = "integrations"
"""A kind that every operator watches, and whose watch begins with the last ones of a start."""
KEPT = 60
"""Requests that a report shows."""


@dataclass(slots=True)
class Request:
    """A request of the operator, watches aside; ``life`` is the number of its process."""

    at: float
    life: int
    server: str
    what: str
    is_write: bool
    answer: str = ""


@dataclass
class Traffic:
    """The requests of a run. Boundaries are recorded between ``begin`` and ``end``."""

    requests: list[Request] = field(default_factory=list)
    boundaries: list[Boundary] = field(default_factory=list)
    polls: frozenset[str] = frozenset()
    """Descriptions of requests that are repeated for ever by design, such as the LIST of a kind without WATCH."""
    life: int = 0
    """The number of the process that was started last."""
    _watched: set[tuple[int, str]] = field(default_factory=set)
    _numbering: Numbering = field(default_factory=Numbering)
    _records: bool = False
    _last: float = field(default_factory=time.monotonic)

    def watch(self, life: int, plural: str) -> None:
        """Note that a process watches a kind."""
        self._watched.add((life, plural))

    def begin(self) -> None:
        """Record boundaries from now on, with new numbers."""
        self.boundaries, self._numbering, self._records = [], Numbering(), True

    def end(self) -> None:
        """Record no more boundaries."""
        self._records = False

    def start(self, life: int) -> None:
        """Note that a process is started."""
        self.life = life
        self._last = time.monotonic()

    def passes(self, server: str, sort: Sort, what: str) -> Boundary | None:
        """Return the boundary of what happens now; None if none are recorded, or if it concerns a bystander."""
        if not self._records or BYSTANDERS in what:
            return None
        boundary = self._numbering.next(server, sort, what)
        self.boundaries.append(boundary)
        return boundary

    def note(self, life: int, server: str, what: str, *, is_write: bool) -> Request:
        """Note a request that arrived."""
        request = Request(time.monotonic(), life, server, what, is_write)
        self.requests.append(request)
        if what not in self.polls:
            self._last = request.at
        return request

    def writes_since(self, mark: int) -> list[str]:
        """Return the writes after the first ``mark`` requests; records of Events aside."""
        writes = (request for request in self.requests[mark:] if request.is_write)
        return [request.what for request in writes if not request.what.startswith("POST events")]

    async def quiet(self, seconds: float, within: float) -> str | None:
        """Wait until the newest process has started, and has sent nothing for a while; else return what came last."""
        deadline = time.monotonic() + within
        while (left := self._last + seconds - time.monotonic()) > 0 or self._is_starting():
            if time.monotonic() > deadline:
                last = self.requests[-1] if self.requests else None
                return f"no quiet, or not started: {last.what}, {last.answer}" if last else "not started"
            await asyncio.sleep(min(max(left, 0.01), 0.1))
        return None

    def _is_starting(self) -> bool:
        return (self.life, LAST_WATCH) not in self._watched

    def tail(self) -> list[str]:
        """Return the last requests, for a report."""
        shown = self.requests[-KEPT:]
        began = self.requests[0].at if self.requests else 0.0
        return [f"{r.at - began:7.3f} #{r.life} {r.server} {r.what} -> {r.answer}" for r in shown]
