"""A foreign object with a desired name is never changed: the operator sets a condition and posts an Event."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from tests.support.documents import reason
from tests.support.world import World

FOREIGN: dict[str, tuple[Any, dict[str, Any]]] = {
    "Secret": (naming.secret_ref, {"type": "Opaque", "data": {"password": "eA=="}}),
    "Secret without our keys": (naming.secret_ref, {"type": "Opaque"}),
    "MessagingUser": (
        naming.user_ref,
        {"spec": {"username": "somebody", "authentication": {"type": "password", "password": "eA=="}}},
    ),
    "Connection": (naming.connection_ref, {"spec": {"connectorId": "amqp", "name": "Mine"}}),
}
SIDES = {"Secret": "CredentialsReady", "MessagingUser": "UserReady", "Connection": "ConnectionReady"}


@pytest.mark.parametrize("labelled", [False, True], ids=["unlabelled", "with a label like ours"])
@pytest.mark.parametrize("what", FOREIGN)
async def test_stranger_keeps_the_name(world: World, what: str, labelled: bool) -> None:
    pair = await world.pair()
    kind, (ref_of, body) = what.split()[0], FOREIGN[what]
    ref = ref_of(pair)
    metadata = {"labels": {names.INTEGRATION_LABEL: "theirs"}} if labelled else {}
    before = await world.create(kind, *ref, metadata=metadata, **body)
    async with world.operator(enable_new=True):
        await world.has_reason(pair, "NameTaken", SIDES[kind])
        await asyncio.sleep(1)
        now = await world.get(kind, ref)
        assert now is not None
        assert now["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        events = await world.items("Event", pair.syndesis.namespace)
        assert any(e["reason"] == "NameTaken" and e["type"] == "Warning" for e in events)

        await world.delete(kind, ref)
        await world.delivered(pair)


async def test_taking_down_leaves_strangers(world: World) -> None:
    pair = await world.pair()
    ref = naming.connection_ref(pair)
    await world.create("Connection", *ref, spec={"connectorId": "amqp", "name": "Mine"})
    async with world.operator(enable_new=True):
        await world.has_reason(pair, "NameTaken", "ConnectionReady")
        await world.enable(pair, enabled=False)
        await world.has_reason(pair, "NotEnabled")
        await world.delete("AddressSpace", pair.space)

        async def gone() -> bool:
            return await world.get("Secret", naming.secret_ref(pair)) is None

        await world.eventually("ours is gone", gone)
        assert await world.get("Connection", ref) is not None


async def test_platforms_are_never_written(world: World) -> None:
    world.audit.mark()
    async with world.operator():
        pair = await world.pair(across=True)
        await world.deliver(pair)
        await world.delete("Syndesis", pair.syndesis)
        await world.taken_down(pair)
        await world.audit.quiet()
    written = {w.split()[1] for w in world.audit.writes()}
    assert written == {"integrations", "integrations/status", "secrets", "messagingusers", "connections"}
    space = await world.get("AddressSpace", pair.space)
    assert space is not None
    assert "finalizers" not in space["metadata"]
    assert {entry["manager"] for entry in space["metadata"]["managedFields"]}.isdisjoint({names.FIELD_MANAGER})


async def test_the_role_is_all_that_is_needed(world: World) -> None:
    """Nothing that the operator asks is refused: the role in deploy/ lacks nothing."""
    world.audit.mark()
    async with world.operator():
        pair = await world.pair(across=True)
        await world.deliver(pair)
        await world.enable(pair, enabled=False)
        await world.taken_down(pair)
        await world.audit.quiet()
    refused = [r for r in world.audit.requests() if r["responseStatus"]["code"] in (401, 403)]
    assert refused == []


async def test_two_of_one_name_never_collide(world: World) -> None:
    fuse = await world.namespace("fuse")
    syndesis = await world.syndesis(fuse)
    first = Pair(await world.space(await world.namespace("one"), allowed="fuse-*"), syndesis)
    second = Pair(await world.space(await world.namespace("two"), allowed="fuse-*"), syndesis)
    async with world.operator(enable_new=True):
        one, two = await world.delivered(first), await world.delivered(second)
        uids = {child["metadata"]["uid"] for found in (one, two) for child in found.values()}
        assert len(uids) == 6
        assert one["Secret"]["data"]["password"] != two["Secret"]["data"]["password"]
        assert one["Connection"]["spec"]["name"] != two["Connection"]["spec"]["name"]
        assert {reason(i, "Paired") for i in await world.items("Integration")} == {"NamespaceAllowed"}
