"""An operator that dies at a chosen moment: before or after any of its writes, as a process does that is killed.

The moments are counted in a run that is left alone, so a new write raises their number by itself.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple
from unittest.mock import patch

from integration_operator.manager import Operator
from integration_operator.backends.keycloak.session import AdminSession
from integration_operator.backends.syndesis.client import SyndesisClient
from integration_operator.runtime.client import Client
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.settings import Settings
from tests.support.world import World

REQUESTS = ((Client, "_request"), (SyndesisClient, "_request"), (AdminSession, "_call"))
"""Where each client sends one request; called with the verb and the path."""

GENERATED = re.compile(r"[0-9a-f]{6,}(-[0-9a-f]{4,})*")
"""What differs in the names and ids of two runs."""


class Moment(NamedTuple):
    """Before or after a write, and how many of the same there were earlier."""

    what: str
    number: int


class Moments:
    """Notes the moments at which the operator could die; ``fatal`` is the one at which it does."""

    def __init__(self, fatal: Moment | None = None) -> None:
        self.fatal = fatal
        self.passed: list[Moment] = []
        self.died = asyncio.Event()

    async def reach(self, what: str) -> None:
        """Go on, or never again."""
        what = GENERATED.sub("*", what)
        moment = Moment(what, sum(passed.what == what for passed in self.passed))
        if self.died.is_set() or moment == self.fatal:
            self.died.set()
            await asyncio.Event().wait()
        self.passed.append(moment)


_life: ContextVar[Moments | None] = ContextVar("life", default=None)
"""The moments of the operator whose task this is; what else runs in the process does not die with it."""


async def killed_at_every_step(life: Callable[[Moments], Awaitable[None]], *, at_least: int) -> None:
    """Live once undisturbed, which has to take ``at_least`` moments, then once for each of them, and die there.

    A run may do without a write of the status: two changes of it may become one.
    """
    undisturbed = Moments()
    await life(undisturbed)
    assert len(undisturbed.passed) >= at_least, undisturbed.passed
    for fatal in undisturbed.passed:
        moments = Moments(fatal)
        try:
            await life(moments)
        except AssertionError as error:
            error.add_note(f"killed {fatal}")
            raise
        assert moments.died.is_set() or fatal.what.endswith("/status"), f"not killed {fatal}"


@asynccontextmanager
async def mortal(world: World, moments: Moments, **settings: Any) -> AsyncIterator[None]:
    """An operator that dies at the fatal moment, and is then started anew, as its Deployment does."""
    with ExitStack() as patches:
        for client, method in REQUESTS:
            patches.enter_context(patch.object(client, method, _mortal(getattr(client, method))))
        task = asyncio.create_task(_lives(world, moments, settings))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


def _mortal(request: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """A request around which the process may die, where it writes."""

    async def made(self: Any, verb: str, path: Any, *args: Any, **rest: Any) -> Any:
        moments = _life.get()
        where = "/".join(path) if isinstance(path, tuple) else path
        if moments is None or verb == "GET" or where.endswith(("/events", "/verifier")):
            return await request(self, verb, path, *args, **rest)
        await moments.reach(f"before {verb} {where}")
        answer = await request(self, verb, path, *args, **rest)
        await moments.reach(f"after {verb} {where}")
        return answer

    return made


async def _lives(world: World, moments: Moments, settings: dict[str, Any]) -> None:
    await _live(world, moments, settings)
    await _live(world, Moments(), settings)


async def _live(world: World, moments: Moments, settings: dict[str, Any]) -> None:
    """One process, until it dies; nothing is finished then."""
    _life.set(moments)
    async with Client.from_kubeconfig(world.control_plane.kubeconfig("operator")) as client:
        operator = Operator(client, TemplateFiles(), Settings(**settings))
        tasks = [asyncio.create_task(operator.controller.run()), asyncio.create_task(operator.cache.run())]
        try:
            await moments.died.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for delivery in operator.remote_backends.values():
                await delivery.close()
