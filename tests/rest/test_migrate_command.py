"""`integration-operator migrate`: the steps are shown before, and watched while the operator does them."""

from __future__ import annotations

import asyncio
import sys

from test_connection_controller import controller
from test_connection_over_rest import delivered, pair_of
from test_migration_there_and_back import always_one, annotate, said, settled
from world import World

from integration_operator.domain import naming
from integration_operator.domain.pair import Pair
from integration_operator.localcluster.syndesis_server import SyndesisServer


async def migrate(world: World, *flags: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "integration_operator", "migrate", *flags,
        env={"PATH": "/usr/bin:/bin", "KUBECONFIG": str(world.control_plane.kubeconfig("person"))},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def name(pair: Pair) -> str:
    return f"{pair.syndesis.namespace}/{naming.integration_name(pair)}"


async def test_shown_then_done_then_undone(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.enmasse_alone(), world.operator(syndesis_url=syndesis_server.url):
        pair = await pair_of(world)
        connection = await delivered(world, syndesis_server, pair)
        await world.quiet()
        asked = len(syndesis_server.requests)
        code, output = await migrate(world, "--to", "native", "--dry-run")
        assert code == 0, output
        wanted = ("apply Connection", "let go of Connection", "take the finalizer off")
        at = [output.index(step) for step in wanted]
        assert at == sorted(at), output
        assert len(syndesis_server.requests) == asked
        assert said(await world.integration(pair)) == ("rest", connection["id"]), "nothing is done"

        async with controller(world, syndesis_server), always_one(syndesis_server):
            await annotate(world, pair, None)
            for target in ("native", "rest"):
                code, output = await migrate(world, "--to", target, name(pair))
                assert code == 0, output
                assert output.rstrip().endswith("done")
                await settled(world, pair, target, connection["id"])


async def test_what_cannot_be_done_is_said(world: World, syndesis_server: SyndesisServer) -> None:
    code, output = await migrate(world, "--to", "native", "nowhere/nothing")
    assert (code, "nowhere/nothing" in output) == (3, True), output
    async with world.enmasse_alone(), world.operator(syndesis_url=syndesis_server.url):
        pair = await pair_of(world)
        await delivered(world, syndesis_server, pair)
        code, output = await migrate(world, "--to", "native", "--within", "3", name(pair))
        assert code == 5, "without anything that reconciles Connections it does not end"
        assert "not done within 3 s" in output
        code, output = await migrate(world, "--to", "rest", name(pair))
        assert code == 0, output
