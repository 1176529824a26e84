"""If a source suddenly lists almost nothing, the operator deletes nothing until a user confirms it."""

from __future__ import annotations

import asyncio

from integration_operator.api import names
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.documents import reason
from tests.support.world import World

PAIRS = 12


async def test_spaces_that_vanished_while_away(world: World) -> None:
    shop, fuse = await world.namespace("shop"), await world.namespace("fuse")
    syndesis = await world.syndesis(fuse)
    refs = [await world.space(shop, f"space-{n}", allowed=fuse) for n in range(PAIRS)]
    pairs = [Pair(ref, syndesis) for ref in refs]
    async with world.operator(enable_new=True):
        for pair in pairs:
            await world.delivered(pair)
    await world.kubectl.delete(f"/apis/enmasse.io/v1beta1/namespaces/{shop}/addressspaces")
    async with world.operator(enable_new=True):
        await world.has_reason(pairs[0], "MassDeletionHeld")
        await asyncio.sleep(1)
        integrations = await world.items("Integration")
        assert {reason(i) for i in integrations} == {"MassDeletionHeld"}
        assert len(await world.items("Connection")) == PAIRS

        released = integrations[0]["metadata"]
        annotation = {"metadata": {"annotations": {names.CONFIRM_DELETION: "true"}}}
        await world.patch("Integration", Ref(released["namespace"], released["name"]), annotation)

        async def one_gone() -> bool:
            return len(await world.items("Connection")) == PAIRS - 1

        await world.eventually("the released one goes, and no other", one_gone)
        await world.space(shop, "space-11", allowed=fuse)
        await world.eventually("the one that is back is delivered again", lambda: _ready_again(world))
        assert len(await world.items("Connection")) == PAIRS - 1
    # With the guard switched off by its setting, the next start cleans up.
    async with world.operator(mass_delete_share=1.0):

        async def only_one() -> bool:
            return len(await world.items("Connection")) == 1

        await world.eventually("all but the one that is back are gone", only_one)


async def _ready_again(world: World) -> bool:
    found = [i for i in await world.items("Integration") if i["spec"]["addressSpaceRef"]["name"] == "space-11"]
    return bool(found) and reason(found[0]) == "UserPending"


async def test_only_so_many_are_taken_down_in_a_minute(world: World) -> None:
    shop, fuse = await world.namespace("shop"), await world.namespace("fuse")
    syndesis = await world.syndesis(fuse)
    refs = [await world.space(shop, f"space-{n}", allowed=fuse) for n in range(4)]
    pairs = [Pair(ref, syndesis) for ref in refs]
    async with world.operator(enable_new=True, teardowns_per_minute=2):
        for pair in pairs:
            await world.delivered(pair)
        for ref in refs:
            await world.delete("AddressSpace", ref)

        async def two_wait() -> bool:
            reasons = sorted(map(reason, await world.items("Integration")))
            return reasons == ["TeardownPostponed"] * 2

        await world.eventually("two are gone, and two wait", two_wait)
        assert len(await world.items("Connection")) == 2

        async def one_is_left() -> bool:
            return len(await world.items("Connection")) == 1

        await world.eventually("the turn of the next comes", one_is_left, within=45)
