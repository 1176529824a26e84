"""The part of an API server that keeps one Lease, and processes that elect a leader by it, in virtual time.

Each process has a network of its own to the server, which may be slow, lose requests or answers, or be cut, and a clock
that runs at a speed of its own. It may be stopped, as SIGSTOP does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from integration_operator.runtime.errors import AlreadyExists, Conflict, NotFound, Unavailable
from integration_operator.runtime.lease import LeaderElector, LeadershipLost, fence_for
from integration_operator.runtime.ref import Ref
from tests.support.documents import Document

LEASE = Ref("operators", "operator")
DURATION = 10


class LeaseServer:
    """Keeps the Lease, orders the writes, and sends each change to the watches."""

    def __init__(self) -> None:
        self.lease: Document | None = None
        self.version = 0
        self.has_namespace = True
        """False if the namespace of the Lease does not exist."""
        self.writes: list[tuple[str, str]] = []
        """Verb and holder of each write that succeeded."""
        self._watches: set[asyncio.Queue[Document]] = set()

    @property
    def holder(self) -> str:
        """The holder in the Lease."""
        return str((self.lease or {}).get("spec", {}).get("holderIdentity") or "")

    def get(self) -> Document:
        if self.lease is None:
            raise NotFound(404, "NotFound", "no Lease")
        return {**self.lease}

    def post(self, body: Document) -> Document:
        if not self.has_namespace:
            raise NotFound(404, "NotFound", "no namespace")
        if self.lease is not None:
            raise AlreadyExists(409, "AlreadyExists", "there is a Lease")
        return self._store("POST", body)

    def put(self, body: Document) -> Document:
        if self.lease is None:
            raise NotFound(404, "NotFound", "no Lease")
        if body["metadata"].get("resourceVersion") != self.lease["metadata"]["resourceVersion"]:
            raise Conflict(409, "Conflict", "it changed")
        return self._store("PUT", body)

    def edit(self, **spec: object) -> None:
        """Write the Lease as a user does."""
        assert self.lease is not None
        self._store("edit", {**self.lease, "spec": {**self.lease["spec"], **spec}})

    def delete(self) -> None:
        """Delete the Lease as a user does."""
        assert self.lease is not None
        self.version += 1
        self._send({"type": "DELETED", "object": self.lease})
        self.lease = None

    def subscribe(self) -> asyncio.Queue[Document]:
        queue: asyncio.Queue[Document] = asyncio.Queue()
        self._watches.add(queue)
        return queue

    def _store(self, verb: str, body: Document) -> Document:
        self.version += 1
        self.lease = {**body, "metadata": {**body["metadata"], "resourceVersion": str(self.version)}}
        self.writes.append((verb, self.holder))
        self._send({"type": "MODIFIED", "object": self.lease})
        return {**self.lease}

    def _send(self, event: Document) -> None:
        for watch in self._watches:
            watch.put_nowait(event)


class Network:
    """The way from one process to the server; it is the ``API`` of an elector."""

    def __init__(self, server: LeaseServer, chance: random.Random | None = None) -> None:
        self._server = server
        self._chance = chance
        self.delay = 0.005
        self.loss = 0.0
        """Share of requests of which the request or the answer is lost."""
        self.is_cut = False
        """True if nothing arrives, and nobody is told."""
        self.refused = False
        """True if the server refuses connections."""
        self.ends_watches = False
        """True if each watch ends at once."""
        self.lose_answers = 0
        """How many of the next writes succeed without an answer."""
        self.requests: list[str] = []
        self.awake = asyncio.Event()
        self.awake.set()

    async def get(self, path: str) -> Document:
        return await self._ask("GET", None)

    async def post(self, path: str, body: Document) -> Document:
        return await self._ask("POST", body)

    async def put(self, path: str, body: Document) -> Document:
        return await self._ask("PUT", body)

    async def watch(self, path: str, query: dict[str, str]) -> AsyncIterator[Document]:
        self.requests.append("WATCH")
        await self._travel()
        if self.ends_watches:
            return
        events = self._server.subscribe()
        seen = int(query["resourceVersion"] or 0)
        if self._server.lease is not None and self._server.version > seen:
            yield {"type": "MODIFIED", "object": {**self._server.lease}}
        while True:
            event = await events.get()
            await self._travel()
            yield event

    async def _ask(self, verb: str, body: Document | None) -> Document:
        self.requests.append(verb)
        await self._travel()
        answer = {"GET": self._server.get, "POST": self._server.post, "PUT": self._server.put}[verb]
        document = answer() if body is None else answer(body)  # type: ignore[operator]
        if body is not None and self.lose_answers:
            self.lose_answers -= 1
            await asyncio.Event().wait()
        await self._travel()
        return document

    async def _travel(self) -> None:
        if self.refused:
            raise Unavailable(0, "NoAnswer", "connection refused")
        delay = self.delay if self._chance is None else self.delay * self._chance.expovariate(1.0)
        await asyncio.sleep(delay)
        if self.is_cut or (self._chance is not None and self._chance.random() < self.loss):
            await asyncio.Event().wait()
        await self.awake.wait()


class Candidate:
    """A process. ``speed`` is that of its clock, ``ahead`` by how many seconds its wall clock is wrong."""

    def __init__(
        self,
        server: LeaseServer,
        name: str,
        *,
        chance: random.Random | None = None,
        speed: float = 1.0,
        ahead: float = 0.0,
        duration: int = DURATION,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.network = Network(server, chance)
        started = (chance or random.Random(name)).uniform(0, 1e6)
        self.changes: list[bool] = []

        async def sleep(seconds: float) -> None:
            await asyncio.sleep(seconds / speed)
            await self.network.awake.wait()

        self.elector = LeaderElector(
            self.network,
            LEASE,
            name,
            duration=duration,
            fence=fence_for(duration, lambda: started + loop.time() * speed, self._note_change),
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=loop.time() + ahead),
            jitter=(chance or random.Random(name)).random,
            sleep=sleep,
        )
        self.task = asyncio.create_task(self._run())

    def _note_change(self, alarm: float) -> None:
        """Note that this process begins to lead, or ends: the fence sets its alarm, or switches it off."""
        leads = alarm > 0
        if leads != (self.changes[-1:] == [True]):
            self.changes.append(leads)

    async def _run(self) -> None:
        with suppress(LeadershipLost):
            await self.elector.run()

    @property
    def may_write(self) -> bool:
        """True if a write of this process would be sent, whatever its tasks do."""
        return self.elector.fence.is_open

    def stop(self) -> None:
        """Stop the process, as SIGSTOP does."""
        self.network.awake.clear()

    def resume(self) -> None:
        """Let the process continue, as SIGCONT does."""
        self.network.awake.set()

    async def leads(self, within: float) -> float:
        """Wait until the process leads; return the seconds that it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(within):
            await self.elector.leading()
        return loop.time() - began
