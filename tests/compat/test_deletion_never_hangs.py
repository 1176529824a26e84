"""Our finalizer never holds an Integration for ever: a server may be away, a Syndesis gone, a namespace ending."""

from __future__ import annotations

from typing import Any

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.rest_delivery import deliver_over_rest, rest_pair
from tests.support.world import World


async def gone(world: World, pair: Pair) -> None:
    async def check() -> bool:
        found = await world.integration(pair)
        return found is None or not found["metadata"].get("deletionTimestamp")

    await world.eventually("the deleted Integration is gone", check, within=40)


def reference(pair: Pair) -> Ref:
    return Ref(pair.syndesis.namespace, naming.integration_name(pair))


async def events(world: World, pair: Pair) -> list[str]:
    return [e["reason"] for e in await world.items("Event", pair.syndesis.namespace)]


async def test_a_server_that_is_away_is_given_up_and_what_stays_is_named(
    world: World, syndesis_server: SyndesisServer
) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url, give_up_seconds=4):
        pair = await rest_pair(world)
        await deliver_over_rest(world, syndesis_server, pair)
        syndesis_server.fail(times=1000, status=503)
        await world.delete("Integration", reference(pair))
        await gone(world, pair)

        async def said() -> Any:
            return "LeftBehind" in await events(world, pair)

        await world.eventually("what was left behind is said", said)
        assert len(syndesis_server.stored()) == 1


async def test_a_server_that_comes_back_in_time(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        await deliver_over_rest(world, syndesis_server, pair)
        syndesis_server.fail(times=3, status=503)
        await world.delete("Integration", reference(pair))
        await gone(world, pair)
        assert syndesis_server.stored() == {}
        assert "LeftBehind" not in await events(world, pair)


async def test_a_syndesis_that_is_gone_took_its_connections_along(
    world: World, syndesis_server: SyndesisServer
) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        await deliver_over_rest(world, syndesis_server, pair)
        asked = len(syndesis_server.requests)
        await world.delete("Syndesis", pair.syndesis)
        await gone(world, pair)
        await world.taken_down(pair)
        assert len(syndesis_server.requests) == asked, "no server is left to ask"


async def test_a_namespace_that_is_deleted(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        await deliver_over_rest(world, syndesis_server, pair)
        await world.kubectl.delete(f"/api/v1/namespaces/{pair.space.namespace}")

        async def ended() -> bool:
            found = await world.kubectl.get("/api/v1/namespaces")
            return pair.space.namespace not in [item["metadata"]["name"] for item in found["items"]]

        await world.eventually("the namespace ends", ended, within=60)
