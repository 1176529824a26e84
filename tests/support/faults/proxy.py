"""An HTTP proxy on loopback between one process of the operator and one server, at which faults are injected."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, NoReturn, Self, TypeVar

import aiohttp
from aiohttp import web
from yarl import URL

from tests.support.faults import list_proxy, watch_proxy
from tests.support.faults.answers import Answer, refusal, reset
from tests.support.faults.boundaries import is_of_the_election, is_write, overtaker, short
from tests.support.faults.faults import Fault
from tests.support.faults.injection import Injection
from tests.support.faults.traffic import Traffic

T = TypeVar("T")

NOT_FORWARDED = {"host", "connection", "content-length", "transfer-encoding", "keep-alive"}
NEVER = 3600.0
LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True)
class Upstream:
    """A server behind proxies; ``session`` trusts its certificate."""

    name: str
    url: str
    session: aiohttp.ClientSession


@dataclass
class Proxy:
    """The proxy of one process, for the life of an ``async with``; ``url`` is what the operator is given."""

    upstream: Upstream
    traffic: Traffic
    injection: Injection
    life: int
    stale: list_proxy.StaleLists = field(default_factory=list_proxy.StaleLists)
    url: str = ""
    _background: set[asyncio.Task[Any]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=LARGEST)
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.01, handler_cancellation=True)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        path = URL(self.upstream.url).path.rstrip("/")
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}{path}"
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._background:
            task.cancel()
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if "watch" in request.query:
            if not self.traffic.elects:
                self.in_background(self.injection.next_runs(self.life))
            return await watch_proxy.serve(self, request)
        if self.upstream.name == "kubernetes" and list_proxy.is_list(request):
            return await list_proxy.serve(self, request)
        what = f"{request.method} {short(request.path)}"
        writes = is_write(request.method, request.path)
        election = is_of_the_election(what)
        body = await request.read()
        if writes and not election:
            await self.injection.before_write(self.life)
        note = self.traffic.note(self.life, self.upstream.name, what, is_write=writes)
        if writes and (fault := self.injection.hits(self.traffic.passes(self.life, self.upstream.name, "write", what))):
            note.answer = fault.name
            if fault.status:
                return refusal(self.upstream.name, fault)
            await self._inject(fault, request, body, what)
        answer = await self.forward(request, body)
        note.answer = str(answer.status)
        if writes and election and answer.status < 300:
            self._elected(body)
        if writes:
            await self.injection.after_write(self.life, what)
        return answer.response()

    def _elected(self, lease: bytes) -> None:
        """Note who holds the Lease now."""
        leader = self.life if json.loads(lease)["spec"]["holderIdentity"] else None
        if leader is not None and leader != self.traffic.leader:
            self.in_background(self.injection.next_runs(self.life))
        self.traffic.leads(leader)

    async def _inject(self, fault: Fault, request: web.Request, body: bytes, what: str) -> NoReturn:
        """Do to a write what the fault says."""
        match fault.name:
            case "killed-before":
                self.injection.kill(self.life)
            case "killed-after":
                await self.forward(request, body)
                self.injection.kill(self.life)
            case "answer-lost":
                await self.forward(request, body)
            case "late":
                self.injection.hold(self.life, self._delivery(request, body))
                self.injection.kill(self.life)
            case "overtaken":
                anew = overtaker(self.upstream.name, what)
                self.injection.hold(self.life, self._delivery(request, body), anew, waits=anew != what)
                self.injection.kill(self.life)
            case "timeout":
                await asyncio.sleep(NEVER)
            case "reset":
                pass
            case _:
                raise AssertionError(f"no fault of a write: {fault.name}")
        reset(request)

    def _delivery(self, request: web.Request, body: bytes) -> Callable[[], Coroutine[Any, Any, None]]:
        """Return what sends a request when its own process is gone."""
        method, target, headers = request.method, self.target(request), self.headers(request)

        async def deliver() -> None:
            async with self.upstream.session.request(method, target, data=body or None, headers=headers) as answer:
                await answer.read()

        return deliver

    async def forward(self, request: web.Request, body: bytes, **query: str) -> Answer:
        """Send a request to the server, with a changed query if one is given.

        A request that is on its way arrives, even if its process is killed meanwhile.
        """
        return await asyncio.shield(self.in_background(self._forward(request, body, query)))

    async def _forward(self, request: web.Request, body: bytes, query: dict[str, str]) -> Answer:
        target = self.target(request)
        if query:
            target = target.update_query(query)
        try:
            async with self.upstream.session.request(
                request.method, target, data=body or None, headers=self.headers(request), allow_redirects=False
            ) as answer:
                headers = {k: v for k, v in answer.headers.items() if k.lower() not in NOT_FORWARDED}
                return Answer(answer.status, headers, await answer.read())
        except aiohttp.ClientError:
            reset(request)

    def target(self, request: web.Request) -> URL:
        """Return the URL of a request at the server."""
        return URL(f"{URL(self.upstream.url).origin()}{request.raw_path}", encoded=True)

    def headers(self, request: web.Request) -> dict[str, str]:
        """Return the headers of a request for the server."""
        return {name: value for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED}

    def in_background(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run something beside the requests, until the proxy ends."""
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task
