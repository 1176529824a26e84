"""Threat: access without consent. Giver and receiver both have to agree, and either ends it at once, by itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.documents import path, reason
from tests.support.hostile import hostile, never
from tests.support.scraped import sample
from tests.support.tenants import tenant
from tests.support.world import World

HANG = 3.0
"""Seconds that the operator waits for an answer of Syndesis that never comes."""


async def two_namespaces(world: World, **annotations: str) -> Pair:
    fuse = await world.namespace("fuse")
    shop = await world.namespace("shop")
    return Pair(await world.space(shop, **annotations), await world.syndesis(fuse))


def reference(pair: Pair) -> Ref:
    return Ref(pair.syndesis.namespace, naming.integration_name(pair))


async def login_ends(world: World, pair: Pair, within: float = 10.0) -> float:
    began = time.monotonic()

    async def gone() -> bool:
        return await world.get("MessagingUser", naming.user_ref(pair)) is None

    await world.eventually("the login is gone", gone, within=within)
    return time.monotonic() - began


@pytest.mark.parametrize(
    "spec", [{}, {"suspend": True}, {"deletionPolicy": "Retain"}], ids=["plain", "suspended", "retain"]
)
@pytest.mark.parametrize("who", ["giver", "receiver"])
async def test_withdrawn_consent_ends_the_login_while_syndesis_hangs(
    world: World, tmp_path: Path, spec: dict[str, Any], who: str
) -> None:
    async with hostile(never) as url, world.operator(syndesis_url=url, answer_seconds=HANG):
        pair = await two_namespaces(world)
        shop, fuse = pair.space.namespace, pair.syndesis.namespace
        async with (
            tenant(world, "giver", shop, tmp_path) as giver,
            tenant(world, "receiver", fuse, tmp_path) as receiver,
        ):
            space, syndesis = path("AddressSpace", *pair.space), path("Syndesis", *pair.syndesis)
            allowed = {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: fuse}}}
            await giver.patch(space, allowed)
            await world.offered(pair)
            delivery = {"connection": "rest"}
            await receiver.patch(
                path("Integration", *reference(pair)), {"spec": {"enabled": True, "delivery": delivery}}
            )
            await world.eventually("the login is there", lambda: world.get("MessagingUser", naming.user_ref(pair)))
            await receiver.patch(path("Integration", *reference(pair)), {"spec": spec})
            if who == "giver":
                await giver.patch(space, {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: None}}})
            else:
                await receiver.patch(syndesis, {"metadata": {"annotations": {names.ACCEPT_FROM: "elsewhere"}}})
            assert await login_ends(world, pair) < HANG, "it waits for no answer"


async def test_a_retained_login_ends_with_the_givers_consent(world: World, tmp_path: Path) -> None:
    async with world.operator():
        pair = await two_namespaces(world)
        shop, fuse = pair.space.namespace, pair.syndesis.namespace
        async with (
            tenant(world, "giver", shop, tmp_path) as giver,
            tenant(world, "receiver", fuse, tmp_path) as receiver,
        ):
            space = path("AddressSpace", *pair.space)
            await giver.patch(space, {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: "fuse-*"}}})
            await world.offered(pair)
            await receiver.patch(
                path("Integration", *reference(pair)), {"spec": {"enabled": True, "deletionPolicy": "Retain"}}
            )
            await world.delivered(pair)
            await receiver.delete(path("Integration", *reference(pair)))
            await world.audit.quiet()
            assert (await world.children(pair))["MessagingUser"] is not None, "it is retained"
            await giver.patch(space, {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: None}}})
            await login_ends(world, pair)


async def test_only_the_receiver_enables(world: World) -> None:
    async with world.operator():
        pair = await two_namespaces(world, allowed="*", enable_new="true")
        assert (await world.offered(pair))["spec"]["enabled"] is False
        await world.audit.quiet()
        assert not any((await world.children(pair)).values())

        willing = await world.syndesis(await world.namespace("willing"), annotations={names.ENABLE_NEW: "true"})
        await world.delivered(Pair(pair.space, willing))


async def test_the_receiver_limits_who_may_offer(world: World) -> None:
    async with world.operator():
        shop, other = await world.namespace("shop"), await world.namespace("other")
        fuse = await world.namespace("fuse")
        syndesis = await world.syndesis(fuse, annotations={names.ACCEPT_FROM: shop})
        accepted = Pair(await world.space(shop, allowed="*"), syndesis)
        refused = Pair(await world.space(other, allowed="*"), syndesis)
        await world.offered(accepted)
        await world.audit.quiet()
        assert await world.integration(refused) is None
        both = {"metadata": {"annotations": {names.ACCEPT_FROM: f"{shop},{other}"}}}
        await world.patch("Syndesis", syndesis, both)
        await world.offered(refused)


async def test_offers_of_other_namespaces_are_bounded(world: World) -> None:
    async with world.operator(most_offers=3) as operator:

        def exhausted() -> float | None:
            return sample(operator.state, "integration_operator_offers_exhausted")

        fuse = await world.namespace("fuse")
        syndesis = await world.syndesis(fuse)
        flood = await world.namespace("flood")
        for number in range(8):
            await world.space(flood, f"space-{number}", allowed="*")
        own = Pair(await world.space(fuse, "own"), syndesis)
        await world.offered(own)
        await world.audit.quiet()
        there = await world.items("Integration", fuse)
        assert len(there) == 4, "three from elsewhere, and its own"
        events = [e for e in await world.items("Event", fuse) if e["reason"] == "OffersExhausted"]
        assert len(events) == 1
        assert events[0]["involvedObject"]["kind"] == "Syndesis"
        assert exhausted() == 1

        victim = next(i for i in there if i["spec"]["addressSpaceRef"]["namespace"] == flood)
        name = victim["spec"]["addressSpaceRef"]["name"]
        await world.delete("AddressSpace", Ref(flood, name))

        async def another() -> bool:
            names_of = {i["spec"]["addressSpaceRef"]["name"] for i in await world.items("Integration", fuse)}
            return len(names_of) == 4 and name not in names_of

        await world.eventually("another one is offered in its place", another)


async def test_a_space_without_consent_looks_like_none_at_all(world: World, tmp_path: Path) -> None:
    async with world.operator():
        pair = await two_namespaces(world)
        async with tenant(world, "receiver", pair.syndesis.namespace, tmp_path) as receiver:
            for name, space in (("there", pair.space.name), ("absent", "no-such-space")):
                spec = {
                    "addressSpaceRef": {"namespace": pair.space.namespace, "name": space},
                    "client": pair.syndesis.name,
                    "enabled": True,
                }
                body = {
                    "apiVersion": names.INTEGRATION_API_VERSION,
                    "kind": "Integration",
                    "metadata": {"name": name},
                    "spec": spec,
                }
                await receiver.post(path("Integration", pair.syndesis.namespace), body)

            async def shown(name: str, space: str) -> str | None:
                found = await receiver.get(path("Integration", pair.syndesis.namespace, name))
                if reason(found) != "NamespaceNotAllowed":
                    return None
                for condition in found["status"]["conditions"]:
                    del condition["lastTransitionTime"]
                told = {"status": found["status"], "finalizers": found["metadata"].get("finalizers")}
                return json.dumps(told, sort_keys=True).replace(space, " SPACE ")

            one = await world.eventually("it is told", lambda: shown("there", f"/{pair.space.name} "))
            other = await world.eventually("it is told", lambda: shown("absent", "/no-such-space "))
            assert one == other

            async def events() -> set[str]:
                return {e["reason"] for e in await world.items("Event", pair.syndesis.namespace)}

            await world.eventually("an Event says so", events)
            assert await events() == {"NamespaceNotAllowed"}


async def test_the_giver_bounds_the_operations(world: World, tmp_path: Path) -> None:
    async with world.operator():
        pair = await two_namespaces(world, allowed="fuse-*")
        await world.offered(pair)
        shop, fuse = pair.space.namespace, pair.syndesis.namespace
        async with (
            tenant(world, "giver", shop, tmp_path) as giver,
            tenant(world, "receiver", fuse, tmp_path) as receiver,
        ):
            manage = [{"operations": ["manage"]}, {"operations": ["send"], "addresses": ["*"]}]
            mine = path("Integration", *reference(pair))
            await receiver.patch(mine, {"spec": {"enabled": True, "authorization": manage}})
            await world.has_reason(pair, "AuthorizationNotAllowed", "UserReady")
            await world.audit.quiet()
            assert (await world.children(pair))["MessagingUser"] is None
            space = path("AddressSpace", *pair.space)
            grant = {"metadata": {"annotations": {names.ALLOWED_OPERATIONS: "send,recv,manage"}}}
            await giver.patch(space, grant)
            await world.delivered(pair)
            await giver.patch(space, {"metadata": {"annotations": {names.ALLOWED_OPERATIONS: "send"}}})
            await login_ends(world, pair)
            await world.has_reason(pair, "AuthorizationNotAllowed", "UserReady")


@pytest.mark.parametrize("annotation", ["[" * 60_000, ",".join(f"{n:x}*" for n in range(40_000)), "*a" * 20_000])
async def test_patterns_that_are_slow_to_match_delay_nobody(world: World, annotation: str) -> None:
    async with world.operator():
        hostile = await two_namespaces(world)
        aside = await world.namespace("aside")
        bystander = Pair(await world.space(aside), await world.syndesis(aside))
        await world.offered(bystander)
        for number in range(20):
            await world.syndesis(hostile.syndesis.namespace, f"syndesis-{number}")
        await world.patch(
            "AddressSpace", hostile.space, {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: annotation}}}
        )
        began = time.monotonic()
        await world.enable(bystander)
        await world.delivered(bystander)
        assert time.monotonic() - began < 3


async def test_an_offer_that_the_receiver_answers_makes_room(world: World) -> None:
    async with world.operator(most_offers=1):
        fuse = await world.namespace("fuse")
        syndesis = await world.syndesis(fuse)
        shop = await world.namespace("shop")
        pairs = [Pair(await world.space(shop, f"space-{number}", allowed="*"), syndesis) for number in range(2)]
        await world.audit.quiet()
        (first,) = await world.items("Integration", fuse)
        await world.patch("Integration", Ref(fuse, first["metadata"]["name"]), {"spec": {"enabled": True}})
        for pair in pairs:
            await world.offered(pair)
