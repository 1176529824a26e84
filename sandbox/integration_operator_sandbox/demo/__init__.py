"""The life of a pair, shown on a control plane with simulated platforms and checked step by step."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.demo.broker import running_broker
from integration_operator_sandbox.demo.delivery import MODES, Name
from integration_operator_sandbox.demo.existing_cluster import ExistingCluster
from integration_operator_sandbox.demo.screen import Screen
from integration_operator_sandbox.demo.story import Demo, StepFailed
from integration_operator_sandbox.deployment import install_all

__all__ = ["StepFailed", "run"]


def run(*, keep: bool, kubeconfig: Path | None = None, delivery: Name = "native", with_broker: bool = False) -> None:
    """Run the demo on a control plane of its own, or on the cluster of a kubeconfig.

    With a broker, the last step is a message that goes through it. Raises ``StepFailed`` and ``SandboxError``.
    """
    console = Console()
    screen = Screen(console)
    began = time.monotonic()
    with ExitStack() as stack:
        messaging = None
        if with_broker:
            screen.say("Starting a broker: Apache ActiveMQ Artemis …")
            messaging = stack.enter_context(running_broker())
        cluster: ControlPlane | ExistingCluster
        if kubeconfig is None:
            screen.say("Starting a control plane: etcd, kube-apiserver, three controllers …")
            cluster = stack.enter_context(ControlPlane.start(before_controllers=install_all))
        else:
            cluster = stack.enter_context(ExistingCluster(kubeconfig))
        screen.say(f"The cluster serves after {time.monotonic() - began:.1f} s.")
        with screen.shown():
            try:
                asyncio.run(Demo(cluster, screen, MODES[delivery], messaging).run(keep=keep))
            finally:
                for number in (signal.SIGINT, signal.SIGTERM):  # nothing is left to do but to stop all in order
                    signal.signal(number, signal.SIG_IGN)
    screen.say(f"\nAll steps happened, in {time.monotonic() - began:.0f} s. Nothing keeps running.")
