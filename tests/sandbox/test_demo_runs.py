"""``integration-operator-sandbox demo``: every step happens and is printed, and nothing keeps running afterwards."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from integration_operator.runtime.client import Client
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.platforms.crd import install_platform_crds
from tests.support.processes import running
from tools.demo_picture import lines, text_of, without_times

STEPS = (
    "makes it ready",
    "offers the pair as a disabled Integration",
    "Secret, MessagingUser and Connection are created",
    "the Integration is Ready",
    "log in with the password of the Secret",
    "the Connection follows",
    "Connection, MessagingUser and Secret are deleted",
    "the login does not work any more",
    "enabled again: Ready",
    "the garbage collector deletes everything",
)


def demo(*flags: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "integration_operator_sandbox", "demo", *flags]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ})


def wait_for(check: Callable[[], object], within: float = 20.0) -> None:
    until = time.monotonic() + within
    while not check():
        assert time.monotonic() < until, "not in time"
        time.sleep(0.05)


def all_gone(processes: list[psutil.Process]) -> bool:
    return not [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]


def test_the_whole_story() -> None:
    """The picture in the README shows what is printed."""
    process = demo()
    output, _ = process.communicate(timeout=150)
    assert process.returncode == 0, output
    at = 0
    for number, step in enumerate(STEPS, 1):
        found = re.search(rf"^ ?{number} .*{re.escape(step)}", output[at:], re.MULTILINE)
        assert found, f"{step} is not said in its turn:\n{output}"
        at += found.end()
    assert "SIMULATED" in output
    assert "$ kubectl patch integration" in output
    assert not re.search(r"[0-9a-f]{64}", output), "no password is shown"
    assert "\x1b" not in output, "without a terminal there are plain lines"
    shown = text_of((Path(__file__).parents[2] / "docs/demo.svg").read_text())
    assert without_times(lines(output)) == without_times(shown), "make picture draws it anew"


@pytest.mark.parametrize(
    ("delivery", "said"),
    [
        (
            "rest",
            ("Secret, MessagingUser and connection in Syndesis are created", "the operator deletes the connection"),
        ),
        ("connection-controller", ("and Connection are created", "the garbage collector deletes everything")),
    ],
)
def test_the_story_with_a_syndesis_of_today(delivery: str, said: tuple[str, ...]) -> None:
    process = demo("--delivery", delivery)
    output, _ = process.communicate(timeout=150)
    assert process.returncode == 0, output
    assert all(words in output for words in said), output
    assert not re.search(r"[0-9a-f]{64}", output), "no password is shown"


@pytest.mark.usefixtures("broker")  # skips, or fails, if one cannot be run here
def test_the_story_with_a_real_broker_ends_with_a_message() -> None:
    process = demo("--broker")
    output, _ = process.communicate(timeout=170)
    assert process.returncode == 0, output
    steps = [line for line in output.splitlines() if re.match(r" ?\d+ ", line)]
    assert "a message goes through the broker with the delivered credential" in steps[-1]
    assert "✓ message: a message went through orders" in output
    assert not re.search(r"[0-9a-f]{64}", output), "no password is shown"


def test_kept_until_it_is_interrupted() -> None:
    process = demo("--keep")
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "kubectl get addressspaces" in line:
            break
    assert process.poll() is None
    kubeconfig = re.search(r"export KUBECONFIG=(\S+)", "".join(lines))
    assert kubeconfig
    assert os.path.exists(kubeconfig[1])
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 4, "the operator, and the three of the control plane"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    wait_for(lambda: all_gone(children))
    assert not os.path.exists(kubeconfig[1])


def test_an_operator_that_dies_ends_the_story_at_once() -> None:
    process = demo("--keep")
    children: list[psutil.Process] = []

    def operator() -> list[psutil.Process]:
        children[:] = psutil.Process(process.pid).children(recursive=True)
        return [child for child in children if running(child, "-m integration_operator run")]

    wait_for(operator)
    operator()[0].kill()
    output, _ = process.communicate(timeout=25)
    assert process.returncode == 70
    assert "was ended by SIGKILL" in output
    wait_for(lambda: all_gone(children))


def test_interrupted_at_any_moment() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = demo()
        children: list[psutil.Process] = []

        def started(process: subprocess.Popen[str] = process, children: list[psutil.Process] = children) -> bool:
            children[:] = psutil.Process(process.pid).children(recursive=True)
            return any(running(child, "kube-apiserver") for child in children)

        wait_for(started)
        process.send_signal(number)
        process.communicate(timeout=60)
        wait_for(lambda children=children: all_gone(children))  # type: ignore[misc]


def test_on_a_cluster_that_is_there_already() -> None:
    with ControlPlane.start() as plane:
        admin = str(plane.kubeconfig())
        process = demo("--kubeconfig", admin)
        output, _ = process.communicate(timeout=150)
        assert process.returncode == 0, output
        found = asyncio.run(definitions(plane))
        assert found == [], "what was installed is removed again"
        install_platform_crds(plane.kubeconfig())
        process = demo("--kubeconfig", admin)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 4
        assert "serves enmasse.io already" in output


async def definitions(plane: ControlPlane) -> list[str]:
    async with Client.from_kubeconfig(plane.kubeconfig()) as admin:
        found = await admin.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        return [d["metadata"]["name"] for d in found["items"] if "deletionTimestamp" not in d["metadata"]]
