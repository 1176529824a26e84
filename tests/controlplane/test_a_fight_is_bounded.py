"""Another controller that fights over a field: a bounded number of writes a minute, and a condition that says so."""

from __future__ import annotations

import asyncio
from collections import Counter

from integration_operator.controllers.integration.guards import REPAIRS
from integration_operator.domain.model import naming
from tests.support.documents import condition
from tests.support.world import World


async def test_fight_over_a_connection(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        await world.audit.quiet()
        world.audit.mark()
        ref = naming.connection_ref(pair)
        stop = asyncio.Event()

        async def rival() -> None:
            while not stop.is_set():
                connection = await world.get("Connection", ref)
                if connection and connection["spec"]["name"] != "Theirs":
                    await world.patch("Connection", ref, {"spec": {"name": "Theirs"}})
                await asyncio.sleep(0.02)

        fighting = asyncio.create_task(rival())
        try:
            integration = await world.has_reason(pair, "FieldContested", "ConnectionReady")
            assert "kubectl" in condition(integration, "ConnectionReady")["message"]
            await asyncio.sleep(3)
            assert Counter(world.audit.writes())["patch connections"] == REPAIRS
            assert world.audit.events_posted() <= 1
        finally:
            stop.set()
            await fighting


async def test_a_client_that_deletes_a_connection_each_time(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        await world.audit.quiet()
        world.audit.mark()
        ref = naming.connection_ref(pair)
        stop = asyncio.Event()

        async def rival() -> None:
            while not stop.is_set():
                await world.delete("Connection", ref)
                await asyncio.sleep(0.02)

        deleting = asyncio.create_task(rival())
        try:
            integration = await world.has_reason(pair, "ObjectContested", "ConnectionReady")
            message = condition(integration, "ConnectionReady")["message"]
            assert f"Connection {ref} was deleted 3 times by another client" in message
            await asyncio.sleep(2)
            assert Counter(world.audit.writes())["patch connections"] <= 4  # at once, and after 1, 2 and 4 seconds
        finally:
            stop.set()
            await deleting
        await world.has_reason(pair, "ConnectionPending", "ConnectionReady")
