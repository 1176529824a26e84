"""From REST to resources and back: one connection at all times, with the same id and the same login."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.compat.test_connection_controller import controller
from tests.compat.test_connection_over_rest import delivered, finalizers, pair_of
from tests.support.world import World, decoded


@asynccontextmanager
async def always_one(server: SyndesisServer) -> AsyncIterator[list[int]]:
    """Watch that there is one connection, never two or none."""
    seen: list[int] = []

    async def watch() -> None:
        while True:
            seen.append(len(server.stored()))
            await asyncio.sleep(0.005)

    task = asyncio.create_task(watch())
    try:
        yield seen
    finally:
        task.cancel()
        assert set(seen) == {1}


def said(integration: dict[str, Any] | None) -> tuple[str, str]:
    """How the connection is delivered, and its id."""
    connection = (((integration or {}).get("status") or {}).get("delivered") or {}).get("connection") or {}
    return connection.get("delivery", ""), connection.get("id", "")


async def annotate(world: World, pair: Pair, value: str | None) -> None:
    """Say that something reconciles Connections, or no longer does."""
    await world.patch("Syndesis", pair.syndesis, {"metadata": {"annotations": {names.CONNECTION_DELIVERY: value}}})


async def settled(world: World, pair: Pair, delivery: str, identifier: str) -> None:
    """Wait until the pair is Ready that way, with the finalizer exactly where state over REST is."""

    async def done() -> bool:
        integration = await world.integration(pair)
        if integration is None or said(integration) != (delivery, identifier):
            return False
        ready = next(c for c in integration["status"]["conditions"] if c["type"] == "Ready")
        held = finalizers(integration) == ([names.REST_STATE_FINALIZER] if delivery == "rest" else [])
        connection = await world.get("Connection", naming.connection_ref(pair))
        return ready["status"] == "True" and held and (connection is not None) == (delivery == "native")

    await world.eventually(f"{pair} is delivered by {delivery}", done)


async def test_auto_follows_the_cluster(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.enmasse_alone(), world.operator(syndesis_url=syndesis_server.url):
        pair = await pair_of(world)
        connection = await delivered(world, syndesis_server, pair)
        identifier = connection["id"]
        secret = decoded(await world.get("Secret", naming.secret_ref(pair)))
        await settled(world, pair, "rest", identifier)

        async with controller(world, syndesis_server), always_one(syndesis_server):
            ciphertext = connection["configuredProperties"]["password"]
            await annotate(world, pair, "native")
            await settled(world, pair, "native", identifier)
            kept = syndesis_server.stored()[identifier]["configuredProperties"]["password"]
            assert kept == ciphertext, "the password was not even written again"

            await annotate(world, pair, None)
            await settled(world, pair, "rest", identifier)
            assert syndesis_server.stored()[identifier]["configuredProperties"]["password"] == ciphertext
        again = decoded(await world.get("Secret", naming.secret_ref(pair)))
        assert again == secret
        assert (await world.get("MessagingUser", naming.user_ref(pair))) is not None


async def test_without_the_controller_nothing_is_let_go(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.enmasse_alone(), world.operator(syndesis_url=syndesis_server.url):
        pair = await pair_of(world)
        connection = await delivered(world, syndesis_server, pair)
        async with always_one(syndesis_server):
            await annotate(world, pair, "native")
            await world.has_reason(pair, "ConnectionPending")
            integration = await world.integration(pair)
            assert said(integration) == ("rest", connection["id"])
            assert integration is not None
            assert finalizers(integration) == [names.REST_STATE_FINALIZER]
            await annotate(world, pair, None)
            await settled(world, pair, "rest", connection["id"])
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await world.patch("Integration", ref, {"spec": {"enabled": False}})

        async def gone() -> bool:
            return not syndesis_server.stored()

        await world.eventually("the connection goes when the pair is disabled", gone)
