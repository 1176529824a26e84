"""An operator that dies at a chosen moment: before or after any of its writes, as a process does that is killed.

The moments are counted in a run that is left alone, so a new write raises their number by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from world import World

from integration_operator.assembly import Operator
from integration_operator.delivery import RemoteDelivery
from integration_operator.domain.actions import Deliver, Withdraw
from integration_operator.domain.remote import Remote
from integration_operator.kube.client import Client
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.settings import Settings


class Moments:
    """Counts the moments at which the operator could die; ``fatal`` is the one at which it does."""

    def __init__(self, fatal: int | None = None) -> None:
        self.fatal = fatal
        self.passed: list[str] = []
        self.died = asyncio.Event()

    async def moment(self, what: str) -> None:
        """Go on, or never again."""
        if self.died.is_set() or len(self.passed) == self.fatal:
            self.died.set()
            await asyncio.Event().wait()
        self.passed.append(what)


class MortalClient(Client):
    """A client whose process may die around each write."""

    moments: Moments

    async def _request(self, verb: str, path: str, *args: Any, **rest: Any) -> Any:
        if verb == "GET" or path.endswith("/events"):
            return await super()._request(verb, path, *args, **rest)
        await self.moments.moment(f"before {verb} {path}")
        answer = await super()._request(verb, path, *args, **rest)
        await self.moments.moment(f"after {verb} {path}")
        return answer


class MortalDelivery:
    """A delivery over REST whose process may die around each call."""

    def __init__(self, delivery: RemoteDelivery, moments: Moments) -> None:
        self._delivery = delivery
        self._moments = moments

    async def deliver(self, action: Deliver) -> Remote:
        await self._moments.moment(f"before deliver {action.kind}")
        made = await self._delivery.deliver(action)
        await self._moments.moment(f"after deliver {action.kind}")
        return made

    async def withdraw(self, action: Withdraw) -> str:
        await self._moments.moment(f"before withdraw {action.kind}")
        said = await self._delivery.withdraw(action)
        await self._moments.moment(f"after withdraw {action.kind}")
        return said

    async def close(self) -> None:
        await self._delivery.close()


@asynccontextmanager
async def mortal(world: World, moments: Moments, **settings: Any) -> AsyncIterator[Operator]:
    """An operator that dies at the fatal moment, and is then started anew, as its Deployment does."""
    task = asyncio.create_task(_lives(world, moments, settings))
    try:
        yield task  # type: ignore[misc]
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _lives(world: World, moments: Moments, settings: dict[str, Any]) -> None:
    await _life(world, moments, settings)
    await _life(world, Moments(), settings)


async def _life(world: World, moments: Moments, settings: dict[str, Any]) -> None:
    """One process, until it dies; nothing is finished then."""
    async with MortalClient.from_kubeconfig(world.control_plane.kubeconfig("operator")) as client:
        client.moments = moments
        operator = Operator(client, TemplateFiles(), Settings(**settings))
        for how, delivery in list(operator.over_rest.items()):
            operator.over_rest[how] = MortalDelivery(delivery, moments)
        tasks = [asyncio.create_task(operator.controller.run()), asyncio.create_task(operator.cluster.run())]
        try:
            await moments.died.wait()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            for delivery in operator.over_rest.values():
                await delivery.close()
