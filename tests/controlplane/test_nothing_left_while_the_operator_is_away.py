"""The garbage collector cleans up while the operator is stopped.

What no owner reference reaches is deleted at the operator's next start.
"""

from __future__ import annotations

from integration_operator.domain.model import naming
from integration_operator.runtime.ref import Ref
from tests.support.world import World


async def test_address_space_in_the_same_namespace_takes_everything(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
    await world.delete("AddressSpace", pair.space)
    await world.taken_down(pair)
    assert await world.integration(pair) is None


async def test_address_space_in_another_namespace_leaves_the_rest_to_the_next_start(world: World) -> None:
    async with world.operator():
        pair = await world.pair(across=True)
        await world.deliver(pair)
    await world.delete("AddressSpace", pair.space)

    async def user_gone() -> bool:
        return await world.get("MessagingUser", naming.user_ref(pair)) is None

    await world.eventually("the collector takes the user", user_gone)
    assert await world.integration(pair) is not None
    async with world.operator():
        await world.taken_down(pair)

        async def gone() -> bool:
            return await world.integration(pair) is None

        await world.eventually("the Integration goes at the next start", gone)


async def test_syndesis_in_another_namespace_leaves_the_user_to_the_next_start(world: World) -> None:
    async with world.operator():
        pair = await world.pair(across=True)
        await world.deliver(pair)
    await world.delete("Syndesis", pair.syndesis)

    async def collected() -> bool:
        found = await world.children(pair)
        return found["Secret"] is None and found["Connection"] is None and await world.integration(pair) is None

    await world.eventually("the collector takes Integration, Secret and Connection", collected)
    assert await world.get("MessagingUser", naming.user_ref(pair)) is not None
    async with world.operator():
        await world.taken_down(pair)


async def test_integration_deleted_while_away_is_offered_again_disabled(world: World) -> None:
    async with world.operator(enable_new=True):
        pair = await world.pair(across=True)
        await world.delivered(pair)
    await world.delete("Integration", Ref(pair.syndesis.namespace, naming.integration_name(pair)))

    async def collected() -> bool:
        return (await world.children(pair))["Secret"] is None

    await world.eventually("the collector takes the Secret", collected)
    async with world.operator(enable_new=True):
        assert (await world.offered(pair))["spec"]["enabled"] is False
        await world.taken_down(pair)
