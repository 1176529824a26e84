"""Run the simulations of EnMasse, Syndesis and a Syndesis server in one process until SIGTERM.

``python -m integration_operator_sandbox.platforms <EnMasse's kubeconfig> <Syndesis's kubeconfig> <port>``

``up --platforms`` starts it. The port is that of the Syndesis server, on loopback. Every Syndesis of the cluster has
this one server.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from integration_operator.runtime.client import Client
from integration_operator_sandbox.platforms.enmasse import SimulatedEnMasse
from integration_operator_sandbox.platforms.syndesis import SimulatedSyndesis
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer

VERIFIED = [{"status": "OK", "scope": "CONNECTIVITY"}]


async def run(enmasse_kubeconfig: Path, syndesis_kubeconfig: Path, port: int) -> None:
    """Run all simulations until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        Client.from_kubeconfig(enmasse_kubeconfig) as enmasse,
        Client.from_kubeconfig(syndesis_kubeconfig) as syndesis,
        SyndesisServer.running(port=port) as server,
        asyncio.TaskGroup() as group,
    ):
        server.verifier_answer = VERIFIED
        group.create_task(SimulatedEnMasse(enmasse, ready_after=1.0).run(stop))
        group.create_task(SimulatedSyndesis(syndesis, ready_after=0.5).run(stop))


if __name__ == "__main__":
    asyncio.run(run(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))
