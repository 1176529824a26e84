"""The status page: what an administrator sees of the pairs and of the operator, of a real process."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator_sandbox.localhost.machine import free_port
from tests.support.replicas import Replicas, holder
from tests.support.status_pages import Answer, fetch, markup_of, rows, serving
from tests.support.world import World, integration_ref


async def shown(world: World, port: int, what: str, path: str = "/status.json", **wanted: str) -> dict[str, Any]:
    """Wait until the page shows an Integration with these values; return it."""

    async def check() -> dict[str, Any] | None:
        found = (await fetch(port, path)).document["integrations"]
        matching = [row for row in found if all(row[key] == value for key, value in wanted.items())]
        return matching[0] if matching else None

    return await world.eventually(f"{what}: {wanted}", check, every=0.3)  # type: ignore[no-any-return]


async def test_each_pair_with_its_state_and_who_has_to_act(world: World, replicas: Replicas) -> None:
    port = await serving(world, replicas)
    async with world.platforms():
        pair = await world.pair()
        await world.deliver(pair)
        ready = await shown(world, port, "a delivered pair", state="ready")
    namespace = pair.space.namespace
    assert ready["name"] == integration_ref(pair).name
    assert (ready["address_space"], ready["consumer"]) == (f"{namespace}/orders", "Syndesis syndesis")
    assert (ready["who_acts"], ready["next_step"]) == ("nothing to do", "")
    later = await world.space(namespace, "later")
    chosen = await shown(world, port, "an offer", address_space=f"{namespace}/{later.name}", state="disabled")
    assert (chosen["reason"], chosen["who_acts"], chosen["next_step"]) == (
        "NotEnabled",
        "a user chose it",
        "enable it",
    )
    spec = {"client": "syndesis", "enabled": True, "addressSpaceRef": {"namespace": "elsewhere", "name": "orders"}}
    await world.create("Integration", namespace, "nowhere", spec=spec)
    await shown(world, port, "one without consent", name="nowhere", state="stalled")
    page = await fetch(port)
    first, *others = rows(page.text)
    assert first["Integration"] == f"{namespace}/nowhere", "what a user has to act on comes first"
    assert first["State"] == "stalled"
    assert first["Reason and message"].startswith("NamespaceNotAllowed: AddressSpace elsewhere/orders")
    assert first["Who acts, and how"] == (
        "a user has to act: the AddressSpace's owner adds the namespace to integreatly.org/allowed-namespaces"
    )
    assert first["Since"].endswith("s")
    assert first["Age"].endswith("s")
    assert [row["State"] for row in others] == ["disabled", "ready"]
    document = (await fetch(port, "/status.json")).document
    assert document["states"] == {
        **dict.fromkeys(("reconciling", "unreported", "deleting", "suspended"), 0),
        **dict.fromkeys(("stalled", "disabled", "ready"), 1),
    }


async def test_the_operator_itself(world: World, replicas: Replicas) -> None:
    """Kinds with their state, guards that hold, and who leads."""
    leader = await serving(world, replicas)
    await world.eventually("it leads", lambda: holder(world))
    standby = await serving(world, replicas, user="operator-2")
    leads, stands_by = [(await fetch(port, "/status.json")).document for port in (leader, standby)]
    identity = await holder(world)
    assert (leads["process"]["role"], leads["process"]["identity"]) == ("leading", identity)
    assert (stands_by["process"]["role"], stands_by["process"]["leader"]) == ("standing by", identity)
    assert stands_by["process"]["identity"] != identity
    assert f"The leader is {identity}" in markup_of((await fetch(standby)).text).text
    kinds = {kind["name"]: kind["state"] for kind in leads["kinds"]}
    assert kinds["AddressSpace"] == kinds["Integration"] == kinds["Secret"] == "in sync"
    assert kinds["ConfigMap"] == "not read"
    guards = {guard["name"]: guard["count"] for guard in leads["guards"]}
    assert guards == {
        "mass deletion, AddressSpace": 0,
        "mass deletion, Syndesis": 0,
        "teardowns": 0,
        "offers": 0,
        "circuits, syndesis": 0,
        "circuits, keycloak": 0,
    }


async def test_a_guard_that_holds(world: World, replicas: Replicas) -> None:
    """A receiver that has all the offers of other namespaces that it may have."""
    port = await serving(world, replicas, "--most-offers", "1")
    shop, fuse = await world.namespace("shop"), await world.namespace("fuse")
    await world.syndesis(fuse)
    for name in ("one", "two"):
        await world.space(shop, name, allowed=fuse)

    async def held() -> bool:
        guards = (await fetch(port, "/status.json")).document["guards"]
        return any(guard["name"] == "offers" and guard["count"] == 1 and fuse in guard["text"] for guard in guards)

    await world.eventually("the page names the namespace", held, every=0.3)


async def test_it_is_off_by_default(world: World, replicas: Replicas) -> None:
    port = free_port()
    replicas.start("operator", "--bind-address", "127.0.0.1", "--metrics-port", str(port))

    async def metrics() -> Answer | None:
        try:
            return await fetch(port, "/metrics")
        except OSError:
            return None

    assert (await world.eventually("it serves metrics", metrics)).status == 200
    assert [(await fetch(port, path)).status for path in ("/", "/status", "/status.json")] == [404, 404, 404]


async def test_a_page_costs_the_api_server_nothing(world: World, replicas: Replicas) -> None:
    port = await serving(world, replicas)
    await world.offered(await world.pair())
    await world.audit.quiet()
    world.audit.mark()
    for _ in range(10):
        assert (await fetch(port)).status == 200
    await asyncio.sleep(1)
    assert {entry["objectRef"]["resource"] for entry in world.audit.requests()} <= {"leases"}, "it renews its Lease"


async def test_no_value_of_a_secret_is_in_it(world: World, replicas: Replicas) -> None:
    port = await serving(world, replicas)
    async with world.platforms():
        secret = (await world.deliver(await world.pair()))["Secret"]
        await shown(world, port, "a delivered pair", state="ready")
    texts = [(await fetch(port, path)).text for path in ("/status", "/status.json")]
    for key in (names.PASSWORD_KEY, "username"):
        encoded = secret["data"][key]
        for text in texts:
            assert encoded not in text, key
            assert base64.b64decode(encoded).decode() not in text, key


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
async def test_it_can_only_be_read(world: World, replicas: Replicas, method: str) -> None:
    port = await serving(world, replicas)
    answer = await fetch(port, method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    head = await fetch(port, method="HEAD")
    assert (head.status, head.text) == (200, "")
