"""Pairs end in the desired state after any changes in any order.

Servers fail and processes end in between. In the end each enabled pair has exactly one user and one connection with one
credential, and the others have nothing.

The changes are drawn by the seed that is the test's parameter.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import aiohttp
import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.errors import NotFound
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms import Login, SimulatedEnMasse
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.connection_controller import connection_controller
from tests.support.documents import condition, decoded, space_status
from tests.support.rest_delivery import annotate_delivery, finalizers
from tests.support.syndesis_data import HEADERS
from tests.support.world import World

STEPS = 40
LONGEST_PAUSE = 0.3
PERIOD = 10  # seconds, the least that the setting allows


class Churn:
    """A cluster in which things happen; both processes run with short periods, so that drift is found in time."""

    def __init__(self, world: World, server: SyndesisServer, seed: int) -> None:
        self.random = random.Random(seed)
        self.world = world
        self.server = server
        self.pairs: list[Pair] = []
        self.hosts: dict[Pair, str] = {}
        self.done: list[str] = []
        self._processes: dict[str, AsyncExitStack] = {}

    async def begin(self) -> None:
        for number in range(3):
            namespace = await self.world.namespace(f"shop{number}")
            space = await self.world.space(namespace)
            await self.world.create("Syndesis", namespace, "syndesis", spec={}, status={"phase": "Installed"})
            self.pairs.append(Pair(space, Ref(namespace, "syndesis")))
        for process in ("operator", "controller"):
            await self.restart(process)
        for pair in self.pairs:
            await self.world.offered(pair)

    async def end(self) -> None:
        for process in self._processes.values():
            await process.aclose()

    async def restart(self, process: str) -> None:
        if process in self._processes:
            await self._processes[process].aclose()
        stack = self._processes[process] = AsyncExitStack()
        settings: dict[str, Any] = {"syndesis_url": self.server.url, "verification_seconds": PERIOD}
        if process == "operator":
            await stack.enter_async_context(self.world.operator(**settings))
        else:
            await stack.enter_async_context(connection_controller(self.world, self.server, verification_seconds=PERIOD))

    async def step(self) -> None:
        """Change one of the pairs, or what it depends on."""
        pair, world = self.random.choice(self.pairs), self.world
        integration = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        happenings: dict[str, Callable[[], Awaitable[Any]]] = {
            "enabled": lambda: world.enable(pair),
            "disabled": lambda: world.enable(pair, enabled=False),
            "to resources": lambda: annotate_delivery(world, pair, "native"),
            "to REST": lambda: annotate_delivery(world, pair, None),
            "endpoint moved": lambda: self._move(pair),
            "server fails": self._fail,
            "answer lost": self._lose,
            "operator restarted": lambda: self.restart("operator"),
            "controller restarted": lambda: self.restart("controller"),
            "connection deleted": lambda: self._delete_connection(pair),
            "Secret deleted": lambda: world.delete("Secret", naming.secret_ref(pair)),
            "MessagingUser deleted": lambda: world.delete("MessagingUser", naming.user_ref(pair)),
            "Connection deleted": lambda: world.delete("Connection", naming.connection_ref(pair)),
            "Integration deleted": lambda: world.delete("Integration", integration),
            "nothing": lambda: asyncio.sleep(2 * self.random.random()),
        }
        what = self.random.choice(list(happenings))
        self.done.append(f"{what}: {pair}")
        with suppress(NotFound):  # an Integration that is just being offered again
            await happenings[what]()
        await asyncio.sleep(LONGEST_PAUSE * self.random.random())

    async def wrong(self, logins: dict[Login, str]) -> list[str]:
        """Return what is not in the desired state."""
        return [problem for pair in self.pairs async for problem in self._wrong_with(pair, logins)]

    async def _wrong_with(self, pair: Pair, logins: dict[Login, str]) -> Any:
        integration, children = await self.world.integration(pair), await self.world.children(pair)
        syndesis = await self.world.get("Syndesis", pair.syndesis)
        if integration is None or syndesis is None:
            yield f"{pair} is not offered"
            return
        marker = naming.integration_label(pair)
        stored = [c for c in self.server.stored().values() if (c.get("metadata") or {}).get("integration") == marker]
        allowed = {login.username: password for login, password in logins.items() if login.namespace == pair.space[0]}
        if not integration["spec"].get("enabled"):
            left = [kind for kind, child in children.items() if child]
            if left or stored or allowed or finalizers(integration):
                yield f"{pair} is disabled and has {left}, {len(stored)} connections, {len(allowed)} logins"
            return
        native = (syndesis["metadata"].get("annotations") or {}).get(names.CONNECTION_DELIVERY) == "native"
        secret = decoded(children["Secret"]) if children["Secret"] else {}
        if allowed != {secret.get("username"): secret.get("password")}:
            yield f"{pair}: the Secret is not what logs in"
        if [self.server.password(connection["id"]) for connection in stored] != [secret.get("password")]:
            yield f"{pair}: {len(stored)} connections, or with another password"
        elif self.hosts.get(pair, "") not in stored[0]["configuredProperties"]["connectionUri"]:
            yield f"{pair}: the connection leads elsewhere"
        if bool(children["Connection"]) != native or bool(finalizers(integration)) == native:
            yield f"{pair}: delivered in another way"
        if condition(integration, "Ready").get("status") != "True":
            yield f"{pair}: {condition(integration, 'Ready')}"

    async def _move(self, pair: Pair) -> None:
        self.hosts[pair] = f"host{self.random.randrange(100)}.svc"
        status = space_status(self.hosts[pair], ca=False)
        await self.world.patch("AddressSpace", pair.space, {"status": status})

    async def _fail(self) -> None:
        self.server.fail(times=self.random.randint(1, 10), status=self.random.choice((0, 200, 500, 503)), body="<html>")

    async def _lose(self) -> None:
        method = self.random.choice(("POST", "PUT", "DELETE"))
        self.server.fail(times=self.random.randint(1, 3), status=0, method=method, after=True)

    async def _delete_connection(self, pair: Pair) -> None:
        url = f"{self.server.url}/api/v1/connections/{naming.connection_id(pair)}"
        async with aiohttp.ClientSession(headers=HEADERS) as user:
            with suppress(aiohttp.ClientError):
                await user.delete(url)


async def comes_right(churn: Churn, enmasse: SimulatedEnMasse) -> None:
    wrong = ["not looked at yet"]

    async def right() -> bool:
        wrong[:] = await churn.wrong(enmasse.logins)
        return not wrong

    try:
        await churn.world.eventually("everything is right", right, within=120, every=0.5)
    except AssertionError as error:
        error.add_note("\n".join([*churn.done, *wrong]))
        raise


@pytest.mark.timeout(400)
@pytest.mark.parametrize("seed", [1, *(pytest.param(other, marks=pytest.mark.faults) for other in (2, 3, 4, 5))])
async def test_pairs_end_in_the_desired_state(world: World, syndesis_server: SyndesisServer, seed: int) -> None:
    churn = Churn(world, syndesis_server, seed)
    async with world.enmasse_alone() as enmasse:
        try:
            await churn.begin()
            for _ in range(STEPS):
                await churn.step()
            syndesis_server.recover()
            await comes_right(churn, enmasse)
            for pair in churn.pairs:
                await world.enable(pair, enabled=False)
            await comes_right(churn, enmasse)
            assert syndesis_server.stored() == {}
            assert enmasse.logins == {}
        finally:
            await churn.end()
