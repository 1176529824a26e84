"""Whatever goes first, nothing of ours is left behind, and nothing else goes with it."""

from __future__ import annotations

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.world import World


def owners(document: dict) -> list[tuple[str, str]]:
    return [(o["kind"], o["name"]) for o in document["metadata"].get("ownerReferences", [])]


async def nothing_left(world: World, pair: Pair, *, integration: bool = True) -> None:
    await world.taken_down(pair)
    if integration:

        async def gone() -> bool:
            return await world.integration(pair) is None

        await world.eventually("the Integration is gone", gone)


@pytest.mark.parametrize("across", [False, True], ids=["one namespace", "two namespaces"])
async def test_owners_are_in_the_same_namespace_and_do_not_block(world: World, across: bool) -> None:
    async with world.operator():
        pair = await world.pair(across=across)
        found = await world.deliver(pair)
        integration = await world.offered(pair)
        name = naming.integration_name(pair)
        assert owners(integration) == ([("Syndesis", "syndesis")] if across else [("AddressSpace", "orders")])
        assert owners(found["Secret"]) == owners(found["Connection"]) == [("Integration", name)]
        assert owners(found["MessagingUser"]) == [("AddressSpace", "orders")]
        for document in (integration, *found.values()):
            (owner,) = document["metadata"]["ownerReferences"]
            assert owner["blockOwnerDeletion"] is False
            assert "controller" not in owner
            assert not document["metadata"].get("finalizers")


@pytest.mark.parametrize("across", [False, True], ids=["one namespace", "two namespaces"])
async def test_address_space_goes(world: World, across: bool) -> None:
    async with world.operator():
        pair = await world.pair(across=across)
        await world.deliver(pair)
        await world.delete("AddressSpace", pair.space)
        await nothing_left(world, pair)
        assert await world.get("Syndesis", pair.syndesis) is not None


@pytest.mark.parametrize("across", [False, True], ids=["one namespace", "two namespaces"])
async def test_syndesis_goes(world: World, across: bool) -> None:
    async with world.operator():
        pair = await world.pair(across=across)
        await world.deliver(pair)
        await world.delete("Syndesis", pair.syndesis)
        await nothing_left(world, pair)
        assert await world.get("AddressSpace", pair.space) is not None


async def test_address_space_that_waits_for_its_finalizers_is_gone_already(world: World) -> None:
    async with world.operator():
        pair = await world.pair(across=True)
        await world.deliver(pair)
        await world.patch("AddressSpace", pair.space, {"metadata": {"finalizers": ["enmasse.io/realms"]}})
        await world.delete("AddressSpace", pair.space)
        await nothing_left(world, pair)
        assert await world.get("AddressSpace", pair.space) is not None
        await world.patch("AddressSpace", pair.space, {"metadata": {"finalizers": None}})


async def test_integration_goes(world: World) -> None:
    async with world.operator():
        pair = await world.pair(across=True)
        await world.deliver(pair)
        await world.delete("Integration", Ref(pair.syndesis.namespace, naming.integration_name(pair)))
        await nothing_left(world, pair, integration=False)
        assert (await world.offered(pair))["spec"]["enabled"] is False


@pytest.mark.parametrize("whose", ["space", "syndesis"])
async def test_namespace_goes(world: World, whose: str) -> None:
    async with world.operator():
        pair = await world.pair(across=True)
        await world.deliver(pair)
        await world.kubectl.delete(f"/api/v1/namespaces/{getattr(pair, whose).namespace}")
        await world.eventually("its object is gone", lambda: _gone(world, pair, whose), within=30)
        await nothing_left(world, pair)


async def _gone(world: World, pair: Pair, whose: str) -> bool:
    kind = "AddressSpace" if whose == "space" else "Syndesis"
    return await world.get(kind, getattr(pair, whose)) is None


async def test_consent_is_withdrawn(world: World) -> None:
    async with world.operator():
        pair = await world.pair(across=True)
        await world.deliver(pair)
        annotations = {"integreatly.org/allowed-namespaces": "somebody-else"}
        await world.patch("AddressSpace", pair.space, {"metadata": {"annotations": annotations}})
        await nothing_left(world, pair)


async def test_only_the_pair_of_the_deleted_space_goes(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        other = Pair(await world.space(pair.space.namespace, "payments"), pair.syndesis)
        await world.deliver(pair)
        kept = await world.deliver(other)
        await world.delete("AddressSpace", pair.space)
        await nothing_left(world, pair)
        still = await world.children(other)
        assert {k: v["metadata"]["uid"] for k, v in still.items() if v} == {
            k: v["metadata"]["uid"] for k, v in kept.items()
        }


async def test_retained_delivery_outlives_its_integration(world: World) -> None:
    async with world.operator():
        pair = await world.pair(across=True)
        await world.offered(pair)
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await world.patch("Integration", ref, {"spec": {"enabled": True, "deletionPolicy": "Retain"}})
        kept = await world.delivered(pair)
        await world.delete("Integration", ref)
        await world.eventually("offered again", lambda: _is_new(world, pair))
        await world.audit.quiet()
        still = await world.children(pair)
        assert {k: v["metadata"]["uid"] for k, v in still.items() if v} == {
            k: v["metadata"]["uid"] for k, v in kept.items()
        }
        assert still["Secret"]["data"] == kept["Secret"]["data"]  # type: ignore[index]


async def _is_new(world: World, pair: Pair) -> bool:
    integration = await world.integration(pair)
    return bool(integration and integration["spec"].get("enabled") is False)
