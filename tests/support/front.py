"""A front before a real server: it counts what is asked, and answers wrongly in the server's place when told to."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiohttp import web
from yarl import URL

LOG_IN = r".*/protocol/openid-connect/token"
NOT_FORWARDED = {"host", "connection", "content-length", "transfer-encoding"}
SHOWN = ("Location", "Content-Type", "Retry-After")

Send = Callable[[], Awaitable[Any]]
Around = Callable[[str, str, Send], Awaitable[Any]]
"""Called with verb and path of each request, and with what sends it."""


async def straight(verb: str, path: str, send: Send) -> Any:
    """Send a request."""
    return await send()


@dataclass
class Lie:
    """An answer in the server's place, to requests of this verb whose path matches, this many times."""

    verb: str
    path: str
    response: Callable[[], web.Response]
    times: float
    after: bool
    """Whether the server is asked first, so that only its answer is lost."""

    def fits(self, request: web.Request) -> bool:
        return self.times > 0 and request.method == self.verb and re.fullmatch(self.path, request.path) is not None


@dataclass
class Front:
    """An HTTP server on loopback for the life of an ``async with``; ``target`` is the URL of the server behind it."""

    target: str
    around: Around = straight
    asked: list[tuple[str, str]] = field(default_factory=list)
    _lies: list[Lie] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = str(URL(self.target).with_scheme("http").with_host(host).with_port(port)).rstrip("/")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    @property
    def writes(self) -> list[tuple[str, str]]:
        """What was asked that changes something; a log-in does not."""
        return [(verb, path) for verb, path in self.asked if verb != "GET" and not re.fullmatch(LOG_IN, path)]

    @property
    def log_ins(self) -> int:
        return sum(1 for _, path in self.asked if re.fullmatch(LOG_IN, path))

    def lie(
        self,
        verb: str,
        path: str,
        *,
        status: int = 200,
        body: str = "",
        content_type: str = "application/json",
        times: float = 1,
        after: bool = False,
    ) -> None:
        """Answer this instead of what the server would say; ``path`` is a regular expression for all of it."""

        def response() -> web.Response:
            return web.Response(status=status, text=body, content_type=content_type)

        self._lies.append(Lie(verb, path, response, times, after))

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.method, request.path))
        lie = next((lie for lie in self._lies if lie.fits(request)), None)
        if lie is not None:
            lie.times -= 1
            if lie.after:
                await self._forward(request)
            return lie.response()
        response: web.Response = await self.around(request.method, request.path, lambda: self._forward(request))
        return response

    async def _forward(self, request: web.Request) -> web.Response:
        target = URL(f"{URL(self.target).origin()}{request.raw_path}", encoded=True)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_FORWARDED}
        async with self._session.request(
            request.method,
            target,
            data=await request.read(),
            headers=headers,
            ssl=False,  # the test started that server itself
            allow_redirects=False,
        ) as answer:
            shown = {name: value for name, value in answer.headers.items() if name in SHOWN}
            return web.Response(status=answer.status, body=await answer.read(), headers=shown)
