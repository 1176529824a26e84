"""A new leader continues with state over REST where the old one ended, and asks no server about what is gone."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import reason
from tests.support.replicas import forget_leases, led, reconciled
from tests.support.rest_delivery import deliver_over_rest, stored_connection
from tests.support.world import World


async def pair_across(world: World) -> Pair:
    """Create a pair of two namespaces, whose connection is created over REST."""
    fuse = await world.namespace("fuse")
    space = await world.space(await world.namespace("shop"), allowed=fuse)
    await world.create("Syndesis", fuse, "syndesis", spec={}, status={"phase": "Installed"})
    return Pair(space, Ref(fuse, "syndesis"))


async def test_what_is_delivered_and_what_is_deleted(world: World, syndesis_server: SyndesisServer) -> None:
    await forget_leases(world)
    async with AsyncExitStack() as outer:
        old = AsyncExitStack()
        await outer.enter_async_context(world.platforms())
        await old.enter_async_context(led(world, "operator", syndesis_url=syndesis_server.url))
        new = await outer.enter_async_context(led(world, "operator-2", syndesis_url=syndesis_server.url))
        kept = await pair_across(world)
        fuse = kept.syndesis.namespace
        connection = await deliver_over_rest(world, syndesis_server, kept)
        deleted = Pair(await world.space(kept.space.namespace, "other", allowed=fuse), kept.syndesis)
        await deliver_over_rest(world, syndesis_server, deleted)
        await world.delete("Integration", Ref(fuse, naming.integration_name(deleted)))

        async def offered_again() -> bool:
            offer = await world.integration(deleted)
            return offer is not None and reason(offer) == "NotEnabled" and len(syndesis_server.stored()) == 1

        await world.eventually("a user has deleted it", offered_again)
        await world.has_reason(kept, "Verified", "ConnectionVerified")
        await world.audit.quiet()
        before = len(syndesis_server.requests)
        await old.aclose()
        await reconciled(world, new)
        await asyncio.sleep(1)
        assert len(syndesis_server.requests) == before, "all that was confirmed is in the status"
        assert stored_connection(syndesis_server, kept) == connection

        await world.enable(kept, enabled=False)

        async def nothing() -> bool:
            return not syndesis_server.stored()

        await world.eventually("the new leader deletes what the old one created", nothing)
