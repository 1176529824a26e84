"""``integration-operator rotate``: requests a rotation, follows it, and refuses what the operator would not do."""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime, timedelta

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.documents import decoded
from tests.support.world import World


async def rotate(world: World, *flags: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "integration_operator", "rotate", *flags,
        env={"PATH": "/usr/bin:/bin", "KUBECONFIG": str(world.control_plane.kubeconfig("user"))},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def ready_pair(world: World) -> tuple[Pair, str]:
    pair = await world.pair()
    await world.offered(pair)
    await world.enable(pair)
    await world.has_reason(pair, "Ready")
    return pair, f"{pair.syndesis.namespace}/{naming.integration_name(pair)}"


async def username(world: World, pair: Pair) -> str:
    secret = await world.get("Secret", naming.secret_ref(pair))
    assert secret is not None
    return str(decoded(secret)["username"])


async def test_the_rotation_is_followed(world: World) -> None:
    async with world.platforms(), world.operator():
        pair, name = await ready_pair(world)
        before = await username(world, pair)
        code, output = await rotate(world, name)
        assert code == 0, output
        after = await username(world, pair)
        assert after != before
        lines = output.splitlines()
        assert lines[0] == f"{name}: rotation requested"
        assert lines[-1].strip() == "done"
        assert not [line for line in lines if line.endswith("… :")], "before the operator reports anything, it is said"
        assert f"user '{after}'" in lines[-2]
        assert f"'{before}' is deleted" in lines[-2]


async def test_a_request_during_an_overlap_says_when_it_is_carried_out(world: World) -> None:
    async with world.platforms(), world.operator():
        pair, name = await ready_pair(world)
        assert (await rotate(world, name))[0] == 0
        between = await username(world, pair)
        began = time.monotonic()
        code, output = await rotate(world, name)
        assert time.monotonic() - began < 30
        assert code == 5, output
        integration = await world.integration(pair)
        assert integration is not None
        moved = datetime.fromisoformat(integration["status"]["rotation"]["movedAt"])
        end = (moved + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert f"the user before the last rotation remains until {end}, when the rotation begins" in output
        assert "Is the operator running?" not in output

        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        elapsed = (datetime.now(UTC) - moved).total_seconds()
        await world.patch("Integration", ref, {"spec": {"rotation": {"overlap": f"{elapsed + 8:.0f}s"}}})
        code, output = await rotate(world, name)
        assert code == 0, output
        assert ", when the rotation begins" in output, "it is said, and followed"
        assert await username(world, pair) != between


async def test_a_request_that_is_not_followed_in_time(world: World) -> None:
    async with world.operator():
        async with world.platforms():
            pair, name = await ready_pair(world)
        code, output = await rotate(world, name, "--within", "1")
        assert code == 5, output
        assert "not done within 1 s" in output
        async with world.platforms():
            await world.has_reason(pair, "Overlap", "Rotating")


async def test_what_cannot_be_rotated_is_refused_before_anything_is_changed(world: World) -> None:
    async with world.platforms(), world.operator():
        pair, name = await ready_pair(world)
        second = await world.namespace("second")
        other = Pair(await world.space(second), await world.syndesis(second))
        await world.offered(other)
        disabled = f"{other.syndesis.namespace}/{naming.integration_name(other)}"
        for refused, reason in ((disabled, "is not enabled"), ("shop/none", 'no Integration "none" in namespace shop')):
            code, output = await rotate(world, name, refused)
            assert code == 3, output
            assert reason in output
        own = {"spec": {"credentialsSecretRef": {"name": "own"}}}
        await world.patch("Integration", Ref(pair.syndesis.namespace, naming.integration_name(pair)), own)
        code, output = await rotate(world, name)
        assert code == 3, output
        assert "uses Secret own: change user name and password there" in output
        integration = await world.integration(pair)
        assert integration is not None
        assert "integreatly.org/rotate" not in (integration["metadata"].get("annotations") or {})
