"""Threat: a tenant's Syndesis server hangs, trickles or floods. Nobody else waits for it, and memory stays flat."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psutil
import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.errors import NotFound
from integration_operator.runtime.ref import Ref
from tests.support.hostile import Answer, hostile, never, packed, slowly, without_end
from tests.support.repeatedly import repeatedly
from tests.support.world import World

MIB = 1024 * 1024
MOST_MORE = 100 * MIB
"""Beside what the process has already: the operator in it is to stay below 250 MiB in all."""
PAIRS = 60


def resident() -> int:
    return int(psutil.Process().memory_info().rss)


@asynccontextmanager
async def memory_stays_flat() -> AsyncIterator[None]:
    """Check that the peak of this process, in which the operator runs, stays within what one operator may add."""
    before = resident()
    seen = [before]
    async with repeatedly(lambda: seen.append(resident()), every=0.02):
        yield
    peak = max(seen)
    assert peak - before < MOST_MORE, f"{(peak - before) / MIB:.0f} MiB more than before"


@pytest.mark.parametrize(
    "answer", [pytest.param(never, marks=pytest.mark.faults), without_end, packed, slowly], ids=lambda a: a.__name__
)
async def test_a_bystander_does_not_wait(world: World, answer: Answer) -> None:
    shop = await world.namespace("shop")
    aside = await world.namespace("aside")
    bystander = Pair(await world.space(aside), await world.syndesis(aside))
    mallory = await world.namespace("mallory")
    no_connections = {"annotations": {names.CONNECTION_DELIVERY: "none"}}
    syndesis = await world.syndesis(mallory, **no_connections)
    pairs = [Pair(await world.space(shop, f"space-{n}", allowed="mallory-*"), syndesis) for n in range(PAIRS)]
    async with hostile(answer) as url, world.operator(syndesis_url=url) as operator:
        await world.offered(bystander)
        for pair in pairs:
            await world.offered(pair)
        async with memory_stays_flat():
            for pair in pairs:
                await world.enable(pair)
            for enabled in (True, False, True):
                began = time.monotonic()
                await world.enable(bystander, enabled=enabled)
                await (world.delivered(bystander) if enabled else world.taken_down(bystander))
                assert time.monotonic() - began < 3, "the bystander's toggle"
                await asyncio.sleep(1)

            withdrawn = pairs[7]
            await world.eventually("it has a login", lambda: world.get("MessagingUser", naming.user_ref(withdrawn)))
            began = time.monotonic()
            nobody = {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: None}}}
            await world.patch("AddressSpace", withdrawn.space, nobody)

            async def gone() -> bool:
                return await world.get("MessagingUser", naming.user_ref(withdrawn)) is None

            await world.eventually("the withdrawn login is gone", gone, within=10)
            assert time.monotonic() - began < 10
        assert operator.controller.queue.oldest < 3, "no worker hangs"
        for pair in pairs:
            with suppress(NotFound):
                mine = Ref(mallory, naming.integration_name(pair))
                await world.patch("Integration", mine, {"metadata": {"finalizers": None}})
