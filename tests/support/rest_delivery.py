"""Pairs whose connection is on Syndesis's server: created over REST, or by the connection controller."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import Document, condition
from tests.support.repeatedly import repeatedly
from tests.support.world import World


async def rest_pair(world: World) -> Pair:
    """Create a pair; no annotation of its Syndesis says that a controller reconciles Connections."""
    shop = await world.namespace("shop")
    space = await world.space(shop)
    await world.create("Syndesis", shop, "syndesis", spec={}, status={"phase": "Installed"})
    return Pair(space, Ref(shop, "syndesis"))


def stored_connection(server: SyndesisServer, pair: Pair) -> Document | None:
    """Return the pair's connection as the server stores it."""
    return server.stored().get(naming.connection_id(pair))


async def deliver_over_rest(world: World, server: SyndesisServer, pair: Pair) -> Document:
    """Enable the pair, wait until it is Ready, and return its connection."""
    await world.offered(pair)
    await world.enable(pair)
    await world.has_reason(pair, "Ready")
    found = stored_connection(server, pair)
    assert found is not None
    return found


def finalizers(integration: Document) -> list[str]:
    """Return the finalizers of an Integration."""
    return integration["metadata"].get("finalizers") or []


def delivered_connection(integration: Document | None) -> tuple[str, str]:
    """Return how the connection is delivered, and its id."""
    connection = (((integration or {}).get("status") or {}).get("delivered") or {}).get("connection") or {}
    return connection.get("delivery", ""), connection.get("id", "")


async def annotate_delivery(world: World, pair: Pair, value: str | None) -> None:
    """Set or remove the annotation that says how Connections are delivered to the Syndesis."""
    await world.patch("Syndesis", pair.syndesis, {"metadata": {"annotations": {names.CONNECTION_DELIVERY: value}}})


async def delivered_by(world: World, pair: Pair, delivery: str, identifier: str) -> None:
    """Wait until the pair is Ready by that delivery. The finalizer is there exactly if state over REST is."""

    async def done() -> bool:
        integration = await world.integration(pair)
        if integration is None or delivered_connection(integration) != (delivery, identifier):
            return False
        held = finalizers(integration) == ([names.REST_STATE_FINALIZER] if delivery == "rest" else [])
        connection = await world.get("Connection", naming.connection_ref(pair))
        ready = condition(integration, "Ready").get("status") == "True"
        return ready and held and (connection is not None) == (delivery == "native")

    await world.eventually(f"{pair} is delivered by {delivery}", done)


@asynccontextmanager
async def always_one_connection(server: SyndesisServer) -> AsyncIterator[None]:
    """Check during the block that the server has one connection, never two or none."""
    seen: set[int] = set()
    async with repeatedly(lambda: seen.add(len(server.stored())), every=0.005):
        yield
    assert seen == {1}
