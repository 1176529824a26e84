"""Another controller that fights over a field: a bounded number of writes a minute, and a condition that says so."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from integration_operator.controllers.integration.guards import REPAIRS
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.documents import condition
from tests.support.repeatedly import repeatedly
from tests.support.world import World

OFTEN = 0.02
"""Seconds between two looks of the other client."""


@asynccontextmanager
async def settled(world: World) -> AsyncIterator[tuple[Pair, Ref]]:
    """Run the operator; yield a pair that is delivered and at rest, and its Connection."""
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        await world.audit.quiet()
        world.audit.mark()
        yield pair, naming.connection_ref(pair)


async def test_fight_over_a_connection(world: World) -> None:
    async with settled(world) as (pair, ref):

        async def rename() -> None:
            connection = await world.get("Connection", ref)
            if connection and connection["spec"]["name"] != "Theirs":
                await world.patch("Connection", ref, {"spec": {"name": "Theirs"}})

        async with repeatedly(rename, every=OFTEN):
            integration = await world.has_reason(pair, "FieldContested", "ConnectionReady")
            assert "kubectl" in condition(integration, "ConnectionReady")["message"]
            await asyncio.sleep(3)
            assert Counter(world.audit.writes())["patch connections"] == REPAIRS
            assert world.audit.events_posted() <= 1


async def test_a_client_that_deletes_a_connection_each_time(world: World) -> None:
    async with settled(world) as (pair, ref):
        async with repeatedly(lambda: world.delete("Connection", ref), every=OFTEN):
            integration = await world.has_reason(pair, "ObjectContested", "ConnectionReady")
            message = condition(integration, "ConnectionReady")["message"]
            assert f"Connection {ref} was deleted 3 times by another client" in message
            await asyncio.sleep(2)
            assert Counter(world.audit.writes())["patch connections"] <= 4  # at once, and after 1, 2 and 4 seconds
        await world.has_reason(pair, "ConnectionPending", "ConnectionReady")
