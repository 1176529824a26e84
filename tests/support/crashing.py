"""An operator that dies before or after any of its writes, as a process does that is killed.

It is cut off at its requests: its client for the API server stops at one, and so does a front before each other server
that it writes to. A request that it dies before is never sent; the answer to one that it dies after never arrives.

The moments are counted in a run that is left alone, so that a new write adds moments by itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import pytest

from integration_operator.manager import Operator
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.client import Client
from integration_operator.settings import Settings
from tests.support.documents import Document
from tests.support.front import Front, Send
from tests.support.world import World

SERVERS = ("syndesis_url", "keycloak_url")
"""The settings that name the other servers."""

NO_WRITES = ("/events", "/verifier", "/openid-connect/token")
"""Ends of the paths of requests that are no GET and change nothing that a later process relies on."""

GENERATED = re.compile(r"[0-9a-f]{6,}(-[0-9a-f]{4,})*")
"""What differs in the names and ids of two runs."""


class Moment(NamedTuple):
    """Before or after a write, and how many of the same there were earlier."""

    what: str
    number: int


class Moments:
    """The moments at which the operator could die; ``fatal`` is the one at which it does."""

    def __init__(self, fatal: Moment | None = None) -> None:
        self.fatal = fatal
        self.passed: list[Moment] = []
        self.died = asyncio.Event()

    async def around(self, verb: str, path: str, send: Send) -> Any:
        """Send a request. If it writes, the operator may die before it and after it."""
        if verb == "GET" or path.endswith(NO_WRITES):
            return await send()
        await self._reach(f"before {verb} {path}")
        answer = await send()
        await self._reach(f"after {verb} {path}")
        return answer

    async def _reach(self, what: str) -> None:
        """Go on, or never again."""
        what = GENERATED.sub("*", what)
        moment = Moment(what, sum(passed.what == what for passed in self.passed))
        if self.died.is_set() or moment == self.fatal:
            self.died.set()
            await asyncio.Event().wait()
        self.passed.append(moment)


class MortalClient(Client):
    """A client for the API server whose process may die around each of its writes."""

    moments: Moments

    async def post(self, path: str, *args: Any, **rest: Any) -> Document:
        return await self._around("POST", path, partial(super().post, path, *args, **rest))

    async def put(self, path: str, *args: Any, **rest: Any) -> Document:
        return await self._around("PUT", path, partial(super().put, path, *args, **rest))

    async def patch(self, path: str, *args: Any, **rest: Any) -> Document:
        return await self._around("PATCH", path, partial(super().patch, path, *args, **rest))

    async def delete(self, path: str, *args: Any, **rest: Any) -> Document:
        return await self._around("DELETE", path, partial(super().delete, path, *args, **rest))

    async def _around(self, verb: str, path: str, send: Send) -> Document:
        answer: Document = await self.moments.around(verb, path, send)
        return answer


kill_at = pytest.mark.parametrize(
    "every", [pytest.param(7, id="every seventh step"), pytest.param(1, id="every step", marks=pytest.mark.faults)]
)
"""For scenarios of many seconds: a seventh of the steps in each run, all of them with the marker ``faults``."""


kill_seldom_at = pytest.mark.parametrize(
    "every", [pytest.param(19, id="every nineteenth step"), pytest.param(1, id="every step", marks=pytest.mark.faults)]
)
"""The same for those that are also a scenario of tests/support/faults."""


async def killed(life: Callable[[Moments], Awaitable[None]], *, at_least: int, every: int = 1) -> None:
    """Live once undisturbed, which has to take ``at_least`` moments, then once for each of them, and die there.

    With ``every`` only each so many of them are tried, before and after writes by turns if the number is odd.
    A run may do without a write of the status: two changes of it may become one.
    """
    undisturbed = Moments()
    await life(undisturbed)
    assert len(undisturbed.passed) >= at_least, undisturbed.passed
    for fatal in undisturbed.passed[::every]:
        moments = Moments(fatal)
        try:
            await life(moments)
        except AssertionError as error:
            error.add_note(f"killed {fatal}")
            raise
        assert moments.died.is_set() or fatal.what.endswith("/status"), f"not killed {fatal}"


@asynccontextmanager
async def mortal(world: World, moments: Moments, **settings: Any) -> AsyncIterator[None]:
    """Run an operator that dies at the fatal moment, and is then started anew, as its Deployment does."""

    async def lives() -> None:
        await _live(world, moments, settings)
        await _live(world, Moments(), settings)

    task = asyncio.create_task(lives())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _live(world: World, moments: Moments, settings: dict[str, Any]) -> None:
    """Run one process until it dies; nothing is finished then."""
    async with AsyncExitStack() as stack:
        fronts = {
            name: await stack.enter_async_context(Front(settings[name], moments.around))
            for name in SERVERS
            if name in settings
        }
        client = MortalClient.from_kubeconfig(world.control_plane.kubeconfig("operator"))
        client.moments = moments
        await stack.enter_async_context(client)
        urls = {name: front.url for name, front in fronts.items()}
        operator = Operator(client, TemplateFiles(), Settings(**{**settings, **urls}))
        tasks = [asyncio.create_task(operator.controller.run()), asyncio.create_task(operator.cache.run())]
        try:
            await moments.died.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for delivery in operator.remote_backends.values():
                await delivery.close()
