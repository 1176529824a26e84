"""A front before the real Keycloak: it counts what is asked, and answers wrongly in its place when told to."""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from integration_operator_sandbox.platforms.keycloak import Keycloak

LOG_IN = r".*/protocol/openid-connect/token"


@dataclass
class Lie:
    """An answer in Keycloak's place, to requests of this verb whose path matches, this many times."""

    verb: str
    path: str
    response: Callable[[], web.Response]
    times: float
    after: bool
    """Whether Keycloak is asked first, so that only its answer is lost."""

    def fits(self, request: web.Request) -> bool:
        return self.times > 0 and request.method == self.verb and re.fullmatch(self.path, request.path) is not None


@dataclass
class Front:
    """An HTTP server on loopback for the life of an ``async with``."""

    keycloak: Keycloak
    asked: list[tuple[str, str]] = field(default_factory=list)
    _lies: list[Lie] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(auto_decompress=False)
        self._context = ssl.create_default_context(cadata=self.keycloak.certificate)
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/auth"
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
        """Answer this instead of what Keycloak would say; ``path`` is a regular expression for all of it."""

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
        return await self._forward(request)

    async def _forward(self, request: web.Request) -> web.Response:
        target = self.keycloak.url.removesuffix("/auth") + request.raw_path
        kept = {name: value for name, value in request.headers.items() if name in ("Authorization", "Content-Type")}
        body = await request.read()
        async with self._session.request(
            request.method, URL(target, encoded=True), data=body, headers=kept, ssl=self._context, allow_redirects=False
        ) as answer:
            shown = {name: value for name, value in answer.headers.items() if name in ("Location", "Content-Type")}
            return web.Response(status=answer.status, body=await answer.read(), headers=shown)
