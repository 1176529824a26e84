"""`kubectl wait` returns when an Integration is Ready, and `kubectl get` tells pairs apart and says how they are."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.gitops import Kubectl
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.world import World

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)


@pytest.fixture
def kubectl(world: World, tmp_path: Path) -> Kubectl:
    return Kubectl(world.control_plane.kubeconfig("user"), tmp_path)


async def test_wait_for_ready(world: World, kubectl: Kubectl) -> None:
    pair = await world.pair()
    name, namespace = naming.integration_name(pair), pair.syndesis.namespace
    wait = ("wait", f"integration/{name}", "-n", namespace, "--for=condition=Ready")
    async with world.operator():
        await world.has_reason(pair, "NotEnabled")
        code, output = await kubectl.run(*wait, "--timeout=1s")
        assert code == 1, f"one that is disabled is not Ready: {output}"
        await kubectl("wait", f"integration/{name}", "-n", namespace, "--for=condition=Disabled", "--timeout=20s")
        await world.enable(pair)
        waiting = asyncio.create_task(kubectl(*wait, "--timeout=60s"))
        async with world.platforms():
            assert "condition met" in await waiting
        await world.patch("Integration", Ref(namespace, name), {"spec": {"suspend": True}})
        await kubectl("wait", f"integration/{name}", "-n", namespace, "--for=condition=Suspended", "--timeout=20s")


async def test_two_spaces_of_one_name_are_told_apart(world: World, kubectl: Kubectl) -> None:
    fuse = await world.namespace("fuse")
    spaces = [await world.space(await world.namespace(name), allowed=fuse) for name in ("blue", "red")]
    pairs = [Pair(space, await world.syndesis(fuse)) for space in spaces[:1]]
    pairs += [Pair(spaces[1], pairs[0].syndesis)]
    async with world.operator(), world.platforms():
        for pair in pairs:
            await world.has_reason(pair, "NotEnabled")
        await world.enable(pairs[0])
        await world.ready(Ref(fuse, naming.integration_name(pairs[0])))
        header, *rows = (await kubectl("get", "integrations", "-n", fuse)).splitlines()
        assert header.split() == [
            *("NAME", "SPACE-NS", "ADDRESSSPACE", "SYNDESIS", "ENABLED", "PHASE", "READY", "REASON", "AGE"),
        ]
        shown = sorted(row.split()[1:-1] for row in rows)
        assert shown == [
            [world.ns("blue"), "orders", "syndesis", "true", "complete", "True", "Ready"],
            [world.ns("red"), "orders", "syndesis", "false", "accepted", "NotEnabled"],
        ]
        wide = await kubectl("get", "integrations", "-n", fuse, "-o", "wide")
        header, *rows = wide.splitlines()
        assert header.split()[-4:] == ["USER", "CONNECTION", "BINDING", "MESSAGE"]
        assert any("native   native" in row and "The user can log in" in row for row in rows), wide
        assert any("Enable it: kubectl patch" in row for row in rows), wide
