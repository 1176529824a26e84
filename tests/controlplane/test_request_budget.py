"""What the operator may ask of the API server, counted at the server, by user."""

from __future__ import annotations

import asyncio
from collections import Counter

from integration_operator.domain.model.pair import Pair
from tests.support.documents import reason
from tests.support.world import World

PAIRS = 50


async def many(world: World) -> list[Pair]:
    namespace = await world.namespace("shop")
    syndesis = await world.syndesis(namespace)
    spaces = await asyncio.gather(*(world.space(namespace, f"space-{n}") for n in range(PAIRS)))
    return [Pair(space, syndesis) for space in spaces]


async def all_have(world: World, what: str, wanted: str) -> None:
    async def said() -> bool:
        reasons = [reason(i) for i in await world.items("Integration")]
        return len(reasons) == PAIRS and all(r == wanted for r in reasons)

    await world.eventually(what, said, within=60)


async def test_fifty_pairs(world: World) -> None:
    await many(world)
    world.audit.mark()
    async with world.operator(enable_new=True):
        await all_have(world, "all are delivered", "UserPending")
        await world.audit.quiet()
        delivered = world.audit.writes()
        assert len(delivered) <= 5 * PAIRS, Counter(delivered)
        assert Counter(w for w in delivered if w.startswith("create")) == {}, "server-side apply makes everything"

    async with world.platforms():
        async with world.operator(enable_new=True):
            await all_have(world, "all are ready", "Ready")
            await world.audit.quiet()
            assert len(world.audit.writes()) <= 7 * PAIRS, Counter(world.audit.writes())
            assert world.audit.events_posted() <= 2 * PAIRS

            world.audit.mark()
            await asyncio.sleep(15)
            assert world.audit.requests() == [], "at rest nothing is asked"

        world.audit.mark()
        async with world.operator(enable_new=True):
            await world.audit.quiet(seconds=2)
            assert world.audit.writes() == []
            assert world.audit.events_posted() == 0

            await world.kubectl.delete("/apis/enmasse.io/v1beta1/namespaces/" + world.ns("shop") + "/addressspaces")

            async def nothing_left() -> bool:
                kinds = ("AddressSpace", "Integration", "MessagingUser", "Connection", "Secret")
                return not any([await world.items(kind) for kind in kinds])

            await world.eventually("nothing is left", nothing_left, within=60)


async def test_update_that_changes_nothing_sends_nothing(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        await world.audit.quiet()
        world.audit.mark()
        routers = [{"id": "qdrouterd-0", "neighbors": [], "undelivered": 7}]
        await world.patch("AddressSpace", pair.space, {"status": {"routers": routers}})
        await world.patch("AddressSpace", pair.space, {"metadata": {"annotations": {"note": "of a user"}}})
        await world.audit.quiet()
        assert world.audit.requests() == []
