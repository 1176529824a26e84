"""If a source suddenly lists almost nothing, the operator deletes nothing until a user confirms it."""

from __future__ import annotations

import asyncio
import sys

from integration_operator.domain.model.pair import Pair
from tests.support.documents import Document, reason
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

        assert {event["reason"] for event in await events(world, fuse)} >= {"MassDeletionHeld"}
        code, output = await confirm_deletion(world)
        assert code == 0
        assert output.splitlines()[-1] == f"{PAIRS} held. To release them: integration-operator confirm-deletion --all"
        code, output = await confirm_deletion(world, "--all")
        assert (code, "--yes" in output) == (2, True), "without a terminal it releases nothing unasked"
        released = integrations[0]["metadata"]
        name = f"{released['namespace']}/{released['name']}"
        assert (await confirm_deletion(world, f"{fuse}/no-such", "--yes"))[0] == 3
        code, output = await confirm_deletion(world, name, "--yes")
        assert (code, output.splitlines()[-1]) == (0, f"{name}: released")

        async def one_gone() -> bool:
            return len(await world.items("Connection")) == PAIRS - 1

        await world.eventually("the released one goes, and no other", one_gone)
        await world.space(shop, "space-11", allowed=fuse)
        await world.eventually("the one that is back is delivered again", lambda: _ready_again(world))
        assert len(await world.items("Connection")) == PAIRS - 1
        assert (await confirm_deletion(world, "--all", "-y"))[0] == 0

        async def only_one() -> bool:
            return len(await world.items("Connection")) == 1

        await world.eventually("all but the one that is back are gone", only_one)
        assert (await confirm_deletion(world))[1].startswith("Nothing is held")


async def test_a_guard_that_is_switched_off_holds_nothing(world: World) -> None:
    shop, fuse = await world.namespace("shop"), await world.namespace("fuse")
    syndesis = await world.syndesis(fuse)
    refs = [await world.space(shop, f"space-{n}", allowed=fuse) for n in range(PAIRS)]
    async with world.operator(enable_new=True):
        for ref in refs:
            await world.delivered(Pair(ref, syndesis))
    await world.kubectl.delete(f"/apis/enmasse.io/v1beta1/namespaces/{shop}/addressspaces")
    async with world.operator(mass_delete_share=1.0):

        async def none() -> bool:
            return not await world.items("Connection")

        await world.eventually("all are gone", none)


async def confirm_deletion(world: World, *flags: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "integration_operator", "confirm-deletion", *flags,
        env={"PATH": "/usr/bin:/bin", "KUBECONFIG": str(world.control_plane.kubeconfig("user"))},
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def events(world: World, namespace: str) -> list[Document]:
    found = await world.kubectl.get(f"/api/v1/namespaces/{namespace}/events")
    return list(found["items"])


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
