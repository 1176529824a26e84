"""Record what a version of the operator leaves in a cluster, for the tests of upgrades.

Usage: tools/record_state.py NAME [DIRECTORY]

NAME is the version or commit; DIRECTORY is a checkout of it, by default this one. The state goes to
tests/support/states/NAME.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from integration_operator.api import names  # noqa: E402
from integration_operator.domain.model import naming  # noqa: E402
from integration_operator.domain.model.pair import Pair  # noqa: E402
from integration_operator.runtime.ref import Ref  # noqa: E402
from integration_operator_sandbox.controlplane import ControlPlane  # noqa: E402
from integration_operator_sandbox.deployment import install_all  # noqa: E402
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer  # noqa: E402
from tests.support.control_planes import world_on  # noqa: E402
from tests.support.recorded_state import STATES, record  # noqa: E402
from tests.support.world import World  # noqa: E402

SHOP, FUSE = "recorded-shop", "recorded-fuse"


async def pairs(world: World) -> dict[str, Pair]:
    """Create a pair for each way in which it can be delivered."""
    for namespace in (SHOP, FUSE):
        await world.kubectl.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    own, other = await world.syndesis(SHOP), Ref(FUSE, "syndesis")
    await world.create("Syndesis", *other, spec={}, status={"phase": "Installed"})
    return {
        "resources": Pair(await world.space(SHOP, "resources"), own),
        "rest": Pair(await world.space(SHOP, "rest", allowed=FUSE), other),
        "provided": Pair(await world.space(SHOP, "provided"), own),
        "offered": Pair(await world.space(SHOP, "offered"), own),
    }


async def settle(world: World) -> None:
    """Enable the pairs, and wait until they are Ready."""
    found = await pairs(world)
    for pair in found.values():
        await world.offered(pair)
    data = {"username": "alice", "password": "sesame-of-alice"}
    labels = {names.INTEGRATION_LABEL: "yes"}
    await world.create("Secret", SHOP, "own", metadata={"labels": labels}, stringData=data)
    reference = {"spec": {"credentialsSecretRef": {"name": "own"}}}
    await world.patch("Integration", Ref(SHOP, naming.integration_name(found["provided"])), reference)
    for name in ("resources", "rest", "provided"):
        await world.enable(found[name])
        await world.has_reason(found[name], "Ready")
    await world.has_reason(found["offered"], "NotEnabled")
    await world.audit.quiet(seconds=2)


async def main(name: str, directory: Path) -> None:
    """Record the state that the operator in ``directory`` makes."""
    with ControlPlane.start(before_controllers=install_all) as plane:
        async with world_on(plane) as world, SyndesisServer.running() as server, world.platforms():
            command = (sys.executable, "-m", "integration_operator", "run", "--syndesis-url", server.url)
            environment = {
                **os.environ,
                "PYTHONPATH": str(directory / "operator"),
                "KUBECONFIG": str(plane.kubeconfig("operator")),
            }
            ports = ("--probe-port", "0", "--metrics-port", "0", "--log-level", "error")
            process = await asyncio.create_subprocess_exec(*command, *ports, env=environment)
            try:
                await settle(world)
            finally:
                process.terminate()
                await process.wait()
            state = await record(world, server, (SHOP, FUSE))
    STATES.mkdir(exist_ok=True)
    (STATES / f"{name}.json").write_text(json.dumps(state, indent=1, sort_keys=True) + "\n")


asyncio.run(main(sys.argv[1], Path(sys.argv[2]).resolve() if len(sys.argv) > 2 else ROOT))
