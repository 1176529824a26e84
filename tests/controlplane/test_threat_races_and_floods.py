"""Threats of time: consent that ends while it is being acted on, objects that are made again and again, floods.

As tenants with limited tokens. Whatever the order of events, a withdrawn login ends; whatever a tenant does a hundred
times a second, what the operator does for it is bounded, and a bystander waits for nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.manager import Operator
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import ApiError
from integration_operator.settings import Settings
from tests.support.audit_log import OPERATOR
from tests.support.documents import encoded, path
from tests.support.scenes import scene
from tests.support.world import World

FLOOD = 6.0
"""Seconds of a flood."""


class SlowClient(Client):
    """A client whose applies of MessagingUsers reach the server late."""

    late = 0.0
    begun: asyncio.Event

    async def apply(self, path: str, *args: Any, **rest: Any) -> Any:
        if "/messagingusers/" in path:
            self.begun.set()
            await asyncio.sleep(self.late)
        return await super().apply(path, *args, **rest)


@pytest.mark.parametrize("late", [0.0, 0.05, 0.5, 2.0])
async def test_consent_that_ends_while_the_user_is_on_its_way(world: World, tmp_path: Path, late: float) -> None:
    kubeconfig = world.control_plane.kubeconfig("operator")
    async with scene(world, tmp_path) as on, SlowClient.from_kubeconfig(kubeconfig) as client:
        client.late, client.begun = late, asyncio.Event()
        operator = Operator(client, TemplateFiles(None), Settings())
        async with operator.running():
            await asyncio.wait_for(operator.cache.synced(), 30)
            await on.ask()
            await asyncio.wait_for(client.begun.wait(), 20)
            await asyncio.sleep(late / 2)
            annotations = {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: None}}}
            await on.giver.patch(path("AddressSpace", *on.pair.space), annotations)
            await on.said("NamespaceNotAllowed")

            async def closed() -> bool:
                return await on.user(naming.username(on.pair)) is None

            await world.eventually("the login is closed", closed, within=10)
            await world.audit.quiet()
            assert await closed()


async def test_an_integration_that_is_made_again_and_again_ends_well(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        for number in range(15):
            await on.ask()
            await asyncio.sleep(0.05 * (number % 4))
            await on.receiver.delete(path("Integration", *on.ref))
        await on.ask()
        integration = await on.said("Ready")
        children = await world.children(on.pair)
        for kind in ("Secret", "Connection"):
            child = children[kind]
            assert child is not None
            assert [o["uid"] for o in child["metadata"]["ownerReferences"]] == [integration["metadata"]["uid"]]
        await world.audit.quiet()
        await on.receiver.delete(path("Integration", *on.ref))
        await world.taken_down(on.pair)


async def test_two_integrations_of_one_pair_have_one_login(world: World, tmp_path: Path) -> None:
    """Each brings a user name of its own: the first has its login, the second has none until the first goes."""
    async with scene(world, tmp_path) as on, world.operator():
        await on.bring("clerk", name="one")
        await on.bring("carol", name="two")
        await on.ask(credentialsSecretRef={"name": "one"})
        await on.said("UserPending")
        await asyncio.sleep(1.1)  # the older one counts, and creation times are whole seconds
        await on.ask("second", credentialsSecretRef={"name": "two"})
        await on.said("Duplicate", name="second")
        assert await on.user("clerk") is not None
        assert await on.user("carol") is None
        await on.receiver.delete(path("Integration", *on.ref))
        await on.said("UserPending", name="second")

        async def only_the_second() -> bool:
            return await on.user("clerk") is None and await on.user("carol") is not None

        async with world.platforms():
            await world.eventually("the first one's login is gone", only_the_second)


async def test_a_retained_login_of_a_chosen_name_ends_with_the_consent(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on:
        async with world.operator():
            await on.bring("clerk")
            await on.ask(credentialsSecretRef={"name": "byo"}, deletionPolicy="Retain")
            await on.said("UserPending")
            await on.receiver.delete(path("Integration", *on.ref))
            await world.audit.quiet()
            assert await on.user("clerk") is not None, "it is retained"
        async with world.operator():
            annotations = {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: ""}}}
            await on.giver.patch(path("AddressSpace", *on.pair.space), annotations)

            async def closed() -> bool:
                return await on.user("clerk") is None

            await world.eventually("the login is closed", closed, within=10)


async def test_another_address_space_of_the_name_takes_nothing_away(world: World, tmp_path: Path) -> None:
    """An Integration of the proof of concept names its AddressSpace by its own name alone."""
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        name = f"enmasse-{on.pair.space.name}-to-fuse"
        await on.ask(name, addressSpaceRef=None)
        await on.said("Ready", name=name)
        before = await world.children(on.pair)
        await world.space(await world.namespace("stranger"), on.pair.space.name, allowed=on.pair.syndesis.namespace)
        await world.audit.quiet()
        await on.said("Ready", name=name)
        assert await world.children(on.pair) == before
        annotations = {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: None}}}
        await on.giver.patch(path("AddressSpace", *on.pair.space), annotations)
        await world.taken_down(on.pair)


async def test_a_finalizer_that_a_tenant_wrote_holds_nothing(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, world.operator(syndesis_url="http://127.0.0.1:9", give_up_seconds=1):
        others = [f"example.com/{n}" for n in range(40)]
        await on.ask(metadata={"finalizers": [*others, names.REST_STATE_FINALIZER]})
        await on.said("UserPending")
        await on.receiver.delete(path("Integration", *on.ref))

        async def only_theirs() -> bool:
            found = await world.get("Integration", on.ref)
            return found is not None and found["metadata"]["finalizers"] == others

        await world.eventually("ours is off", only_theirs)
        await world.audit.quiet()


@asynccontextmanager
async def flood(act: Callable[[int], Awaitable[Any]], per_second: int) -> AsyncIterator[None]:
    """Do something so often a second, until the end of the block."""

    async def again_and_again() -> None:
        number = 0
        while True:
            began = time.monotonic()
            with suppress(ApiError):
                await act(number)
            number += 1
            await asyncio.sleep(max(0.0, 1 / per_second - (time.monotonic() - began)))

    task = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def bystander(world: World) -> Pair:
    """Create and deliver a pair of another tenant."""
    shop = await world.namespace("bystander")
    pair = Pair(await world.space(shop), await world.syndesis(shop))
    await world.deliver(pair)
    return pair


async def toggled(world: World, pair: Pair) -> float:
    """Disable and enable a pair; return the seconds until both were done."""
    began = time.monotonic()
    await world.enable(pair, enabled=False)
    await world.taken_down(pair)
    await world.enable(pair)
    await world.delivered(pair)
    return time.monotonic() - began


async def bounded(world: World, act: Callable[[int], Awaitable[Any]], per_second: int, *, writes: float) -> None:
    """Check what a flood costs: at most so many ``writes`` a second, few Events, and no patience of a bystander's."""
    other = await bystander(world)
    async with flood(act, per_second):
        slowest = await toggled(world, other)
        await asyncio.sleep(3)  # what may be done at once is done
        world.audit.mark()
        began = time.monotonic()
        while (left := FLOOD - (time.monotonic() - began)) > 0:
            await asyncio.sleep(min(left, 2))
            slowest = max(slowest, await toggled(world, other))
        seconds = time.monotonic() - began
    requests = [e for e in world.audit.requests(OPERATOR) if "bystander" not in e["requestURI"]]
    made = [e for e in requests if e["verb"] not in ("get", "list")]
    events = [e for e in made if e["objectRef"]["resource"] == "events"]
    print(f"{(len(made) - len(events)) / seconds:.1f} writes a second, {len(events)} Events, bystander {slowest:.2f} s")
    assert slowest < 3
    assert len(events) <= 25
    assert (len(made) - len(events)) / seconds <= writes
    await world.audit.quiet(within=60)


async def test_a_secret_that_changes_a_hundred_times_a_second(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        await on.bring("clerk")
        await on.ask(credentialsSecretRef={"name": "byo"})
        await on.said("Ready")
        secret = path("Secret", on.ref.namespace, "byo")

        async def change(number: int) -> None:
            await on.receiver.patch(secret, {"data": {"password": encoded(f"password {number}")}})

        await bounded(world, change, 100, writes=8)
        last = await world.get("Secret", on.ref._replace(name="byo"))

        async def followed() -> bool:
            user = await on.user("clerk")
            assert last is not None
            return user is not None and user["spec"]["authentication"]["password"] == last["data"]["password"]

        await world.eventually("the last password counts", followed, within=60)


async def test_a_secret_that_is_deleted_and_made_a_hundred_times_a_second(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        await on.bring("clerk")
        await on.ask(credentialsSecretRef={"name": "byo"})
        await on.said("Ready")

        async def change(number: int) -> None:
            if number % 2:
                await on.bring("clerk", f"password {number}")
            else:
                await on.receiver.delete(path("Secret", on.ref.namespace, "byo"))

        await bounded(world, change, 100, writes=8)


async def test_consent_that_flips_fifty_times_a_second(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():
        await on.ask()
        await on.said("Ready")

        async def flip(number: int) -> None:
            allowed = on.pair.syndesis.namespace if number % 2 else None
            annotations = {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: allowed}}}
            await on.giver.patch(path("AddressSpace", *on.pair.space), annotations)

        await bounded(world, flip, 50, writes=15)
        await flip(0)
        await world.taken_down(on.pair)


async def test_an_integration_that_is_made_and_deleted_all_the_time(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, world.platforms(), world.operator():

        async def change(number: int) -> None:
            if number % 2:
                await on.receiver.delete(path("Integration", *on.ref))
            else:
                await on.ask(credentialsSecretRef={"name": "nowhere"})

        await bounded(world, change, 50, writes=10)
