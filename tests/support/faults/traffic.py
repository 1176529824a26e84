"""Requests between the operator and the servers in one run: counted, numbered as boundaries, kept for reports."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from tests.support.faults.boundaries import Boundary, Numbering, Sort, is_of_the_election

BYSTANDERS = "bystanders"
"""Part of the names of namespaces beside the scenarios."""
LAST_WATCH = "integrations"
"""A kind that every operator watches, and whose watch begins with the last ones of a start."""
KEPT = 60
"""Requests that a report shows."""
REPEATED = 2
"""Boundaries of the same request of the election, or of a poll. How many more there are depends on the time that a run
takes: a Lease is renewed, and a kind without WATCH is listed, for ever."""


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
    """The requests of a run. Boundaries are recorded between ``begin`` and ``end``.

    Of several processes, boundaries are those of the leader.
    """

    requests: list[Request] = field(default_factory=list)
    boundaries: list[Boundary] = field(default_factory=list)
    polls: frozenset[str] = frozenset()
    """Descriptions of requests that are repeated for ever by design, such as the LIST of a kind without WATCH."""
    replicas: int = 1
    """How many processes run at a time. If there are several, they elect a leader."""
    strays: list[str] = field(default_factory=list)
    """Writes of a process that did not lead."""
    _alive: set[int] = field(default_factory=set)
    _leader: int | None = None
    _watched: set[tuple[int, str]] = field(default_factory=set)
    _numbering: Numbering = field(default_factory=Numbering)
    _records: bool = False
    _last: float = field(default_factory=time.monotonic)

    @property
    def elects(self) -> bool:
        """True if processes elect a leader."""
        return self.replicas > 1

    @property
    def leader(self) -> int | None:
        """The process that writes: the newest one, or of several the one that held the Lease last."""
        return self._leader

    def leads(self, life: int | None) -> None:
        """Note who holds the Lease; None for nobody."""
        if life != self._leader:
            self._last = time.monotonic()
        self._leader = life

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
        self._alive.add(life)
        if not self.elects:
            self._leader = life
        self._last = time.monotonic()

    def ended(self, life: int) -> None:
        """Note that a process has ended."""
        self._alive.discard(life)

    def passes(self, life: int, server: str, sort: Sort, what: str) -> Boundary | None:
        """Return the boundary of what happens now; None if none are recorded, or if it concerns a bystander.

        A process that stands by has no boundaries but those of the election.
        """
        if not self._records or BYSTANDERS in what:
            return None
        election = is_of_the_election(what)
        if life != self._leader and not election:
            return None
        boundary = self._numbering.next(server, sort, what)
        if (election or what in self.polls) and boundary.number >= REPEATED:
            return None
        self.boundaries.append(boundary)
        return boundary

    def note(self, life: int, server: str, what: str, *, is_write: bool) -> Request:
        """Note a request that arrived."""
        request = Request(time.monotonic(), life, server, what, is_write)
        self.requests.append(request)
        if is_of_the_election(what):
            return request
        if what not in self.polls:
            self._last = request.at
        if is_write and self.elects and life != self._leader:
            self.strays.append(f"process {life} wrote while {self._leader} led: {what}")
        return request

    def writes_since(self, mark: int) -> list[str]:
        """Return the writes after the first ``mark`` requests; records of Events and the election aside."""
        writes = (request.what for request in self.requests[mark:] if request.is_write)
        return [what for what in writes if not what.startswith("POST events") and not is_of_the_election(what)]

    async def quiet(self, seconds: float, within: float) -> str | None:
        """Wait until all processes have started, one leads, and nothing was sent for a while.

        Return what came last if that does not happen ``within`` so many seconds.
        """
        deadline = time.monotonic() + within
        while (left := self._last + seconds - time.monotonic()) > 0 or self._is_starting():
            if time.monotonic() > deadline:
                last = self.requests[-1] if self.requests else None
                return f"no quiet, or not started: {last.what}, {last.answer}" if last else "not started"
            await asyncio.sleep(min(max(left, 0.01), 0.1))
        return None

    def _is_starting(self) -> bool:
        watching = {life for life in self._alive if (life, LAST_WATCH) in self._watched}
        return len(watching) < self.replicas or self._leader not in watching

    def tail(self) -> list[str]:
        """Return the last requests, for a report."""
        shown = self.requests[-KEPT:]
        began = self.requests[0].at if self.requests else 0.0
        return [f"{r.at - began:7.3f} #{r.life} {r.server} {r.what} -> {r.answer}" for r in shown]
