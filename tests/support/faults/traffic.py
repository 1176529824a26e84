"""Requests between the operator and the servers in one run: counted, numbered as boundaries, kept for reports."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from tests.support.faults.boundaries import Boundary, Numbering, Sort

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
    _numbering: Numbering = field(default_factory=Numbering)
    _records: bool = False
    _last: float = field(default_factory=time.monotonic)

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
        """Return the boundary of what happens now; None if none are recorded."""
        if not self._records:
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
        """Wait until the newest process has sent requests, and none for a while; else return what came last."""
        deadline = time.monotonic() + within
        while (left := self._last + seconds - time.monotonic()) > 0 or self._is_starting():
            if time.monotonic() > deadline:
                return f"no quiet: {self.requests[-1].what}, {self.requests[-1].answer}"
            await asyncio.sleep(min(max(left, 0.01), 0.1))
        return None

    def _is_starting(self) -> bool:
        return not self.requests or self.requests[-1].life < self.life

    def tail(self) -> list[str]:
        """Return the last requests, for a report."""
        shown = self.requests[-KEPT:]
        began = self.requests[0].at if self.requests else 0.0
        return [f"{r.at - began:7.3f} #{r.life} {r.server} {r.what} -> {r.answer}" for r in shown]
