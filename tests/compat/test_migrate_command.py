"""`integration-operator migrate`: the steps are shown before, and watched while the operator does them."""

from __future__ import annotations

import asyncio
import sys

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.connection_controller import connection_controller
from tests.support.rest_delivery import (
    always_one_connection,
    annotate_delivery,
    deliver_over_rest,
    delivered_by,
    delivered_connection,
    rest_pair,
)
from tests.support.world import World


async def migrate(world: World, *flags: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "integration_operator", "migrate", *flags,
        env={"PATH": "/usr/bin:/bin", "KUBECONFIG": str(world.control_plane.kubeconfig("user"))},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


def name(pair: Pair) -> str:
    return f"{pair.syndesis.namespace}/{naming.integration_name(pair)}"


async def test_shown_then_done_then_undone(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.enmasse_alone(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        connection = await deliver_over_rest(world, syndesis_server, pair)
        await world.audit.quiet()
        asked = len(syndesis_server.requests)
        code, output = await migrate(world, "--to", "native", "--dry-run")
        assert code == 0, output
        wanted = ("apply Connection", "release Connection", "remove the finalizer")
        at = [output.index(step) for step in wanted]
        assert at == sorted(at), output
        assert "release MessagingUser" not in output, "the user was always native"
        assert len(syndesis_server.requests) == asked
        assert delivered_connection(await world.integration(pair)) == ("rest", connection["id"]), "nothing is done"

        async with connection_controller(world, syndesis_server), always_one_connection(syndesis_server):
            await annotate_delivery(world, pair, None)
            for target in ("native", "rest"):
                code, output = await migrate(world, "--to", target, name(pair))
                assert code == 0, output
                assert output.rstrip().endswith("done")
                await delivered_by(world, pair, target, connection["id"])
                integration = await world.integration(pair)
                assert integration is not None
                pinned = "native" if target == "native" else "auto"  # without the annotation auto chooses rest
                assert integration["spec"]["delivery"] == {"user": "auto", "connection": pinned}
                kept = "spec.delivery.connection stays native: auto would choose rest, because "
                assert (kept in output) == (target == "native"), output


async def test_auto_follows_the_cluster_again_afterwards(world: World, syndesis_server: SyndesisServer) -> None:
    async with (
        world.enmasse_alone(),
        world.operator(syndesis_url=syndesis_server.url),
        connection_controller(world, syndesis_server),
    ):
        pair = await rest_pair(world)
        connection = await deliver_over_rest(world, syndesis_server, pair)
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await world.patch("Integration", ref, {"spec": {"delivery": {"connection": "rest"}}})
        await annotate_delivery(world, pair, "native")
        code, output = await migrate(world, "--to", "native", name(pair))
        assert code == 0, output
        await delivered_by(world, pair, "native", connection["id"])
        integration = await world.integration(pair)
        assert integration is not None
        assert integration["spec"]["delivery"] == {"user": "auto", "connection": "auto"}
        await annotate_delivery(world, pair, None)
        await delivered_by(world, pair, "rest", connection["id"])


async def test_a_setting_of_the_operator_is_seen_and_not_fought(world: World, syndesis_server: SyndesisServer) -> None:
    """With auto an Integration would go back at once to what the setting asks for."""
    async with world.enmasse_alone(), world.operator(syndesis_url=syndesis_server.url, connection_delivery="rest"):
        pair = await rest_pair(world)
        await deliver_over_rest(world, syndesis_server, pair)
        await annotate_delivery(world, pair, "native")
        code, output = await migrate(world, "--to", "native", "--dry-run", name(pair))
        assert code == 0, output
        kept = "spec.delivery.connection stays native: auto would choose rest, because the setting asks for it"
        assert kept in output, output


async def test_a_name_is_looked_up_in_the_namespace_of_the_flag_or_the_context(world: World) -> None:
    code, output = await migrate(world, "--dry-run")
    assert (code, output) == (3, "integration-operator: no enabled Integration\n")
    pair = await world.pair()
    spec = {"client": pair.syndesis.name, "addressSpaceRef": pair.space._asdict(), "enabled": True}
    await world.create("Integration", pair.syndesis.namespace, "mine", spec=spec)
    await world.create("Integration", pair.syndesis.namespace, "off", spec={**spec, "enabled": False})
    known = f"{pair.syndesis.namespace}/mine"
    code, output = await migrate(world, "--dry-run", "mine")
    said = f'integration-operator: no Integration "mine" in namespace default; enabled ones: {known}\n'
    assert (code, output) == (3, said)
    code, output = await migrate(world, "--dry-run", "off", "-n", pair.syndesis.namespace)
    assert (code, "is not enabled" in output) == (3, True), output
    for chosen in (["mine", "-n", pair.syndesis.namespace], [known], ["-n", pair.syndesis.namespace]):
        code, output = await migrate(world, "--dry-run", *chosen)
        assert (code, output.splitlines()[0]) == (0, f"{known}: to native"), output


async def test_what_cannot_be_done_is_said(world: World, syndesis_server: SyndesisServer) -> None:
    code, output = await migrate(world, "--to", "native", "nowhere/nothing")
    assert (code, 'no Integration "nothing" in namespace nowhere' in output) == (3, True), output
    async with world.enmasse_alone(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        await deliver_over_rest(world, syndesis_server, pair)
        code, output = await migrate(world, "--to", "native", "--within", "3", name(pair))
        assert code == 5, "without anything that reconciles Connections it does not end"
        assert "not done within 3 s" in output
        code, output = await migrate(world, "--to", "rest", name(pair))
        assert code == 0, output
