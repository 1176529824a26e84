"""An offer that no user has edited gives way to an Integration of a user, in any order and by any command."""

from __future__ import annotations

import asyncio

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.documents import path, reason
from tests.support.world import World

APPLY = "application/apply-patch+yaml"


def written(pair: Pair, **spec: object) -> dict[str, object]:
    reference = {"namespace": pair.space.namespace, "name": pair.space.name}
    return {"addressSpaceRef": reference, "client": pair.syndesis.name, **spec}


def offer(pair: Pair) -> Ref:
    return Ref(pair.syndesis.namespace, naming.integration_name(pair))


@pytest.mark.parametrize("restarted", [False, True])
async def test_an_integration_that_a_user_writes_after_the_offer_takes_its_place(world: World, restarted: bool) -> None:
    pair = await world.pair(across=True)
    mine = Ref(pair.syndesis.namespace, "mine")
    async with world.operator():
        await world.offered(pair)
        if not restarted:
            await world.create("Integration", *mine, spec=written(pair, enabled=True))
    if restarted:
        await world.create("Integration", *mine, spec=written(pair, enabled=True))
    async with world.operator():

        async def taken() -> bool:
            return await world.get("Integration", offer(pair)) is None and all((await world.children(pair)).values())

        await world.eventually("the offer is gone, and the user's Integration is delivered", taken)
        await world.audit.quiet()
        (left,) = await world.items("Integration", pair.syndesis.namespace)
        assert left["metadata"]["name"] == "mine"
        assert reason(left) != "Duplicate"


async def test_in_one_breath(world: World) -> None:
    """`kubectl apply` of a file with AddressSpace, Syndesis and Integration: milliseconds decide nothing."""
    async with world.operator():
        for number in range(4):
            shop = await world.namespace(f"shop-{number}")
            pair = Pair(Ref(shop, "orders"), Ref(shop, "syndesis"))
            mine = Ref(shop, "mine")
            await asyncio.gather(
                world.space(shop),
                world.syndesis(shop),
                world.create("Integration", *mine, spec=written(pair, enabled=True)),
            )
            await world.audit.quiet()
            (left,) = await world.items("Integration", shop)
            assert left["metadata"]["name"] == "mine"
            assert all((await world.children(pair)).values())


async def test_an_offer_that_a_user_enabled_stays_and_the_second_is_told_how_to_take_its_place(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        second = Ref(pair.syndesis.namespace, "second")
        await world.create("Integration", *second, spec=written(pair))

        async def told() -> str:
            found = await world.get("Integration", second)
            status = (found or {}).get("status") or {}
            return status.get("statusMessage", "") if found and reason(found) == "Duplicate" else ""

        message = await world.eventually("it is told", told)
        name, namespace = offer(pair).name, offer(pair).namespace
        assert f"kubectl delete integration {name} -n {namespace}" in message
        await world.delete("Integration", offer(pair))

        async def takes_its_place() -> bool:
            found = await world.get("Integration", second)
            return found is not None and reason(found) == "NotEnabled"

        await world.eventually("the second takes its place", takes_its_place)


async def test_server_side_apply_meets_no_conflict(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.offered(pair)
        name, namespace = offer(pair).name, offer(pair).namespace
        document = {
            "apiVersion": names.INTEGRATION_API_VERSION,
            "kind": "Integration",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"enabled": True},
        }
        query = {"fieldManager": "kubectl", "force": "false"}
        await world.kubectl.patch(path("Integration", namespace, name), document, query, content_type=APPLY)
        await world.delivered(pair)
