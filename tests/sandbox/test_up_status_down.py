"""``up``, ``status`` and ``down``: a control plane that keeps running when the command ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import NotFound
from integration_operator_sandbox.cli import app
from integration_operator_sandbox.controlplane import PROGRAMS, ControlPlane
from tests.support.processes import processes_in, wait_until
from tests.support.simulation import eventually


def test_up_status_and_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    directory = tmp_path / "integration-operator" / "local" / "trial"

    def local(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, list(arguments))
        return result.exit_code, result.output

    assert local("status", "--name", "trial") == (3, "Control plane trial does not exist.\n")
    assert local("down", "--name", "trial")[0] == 0
    assert local("up", "--name", "No Name")[0] == 2
    try:
        code, said = local("up", "--name", "trial")
        assert code == 0
        assert f"export KUBECONFIG={directory}/kubeconfig\n" in said
        before = {process.pid for process in processes_in(directory)}
        assert len(before) == len(PROGRAMS)
        assert local("up", "--name", "trial") == (code, said)
        assert {process.pid for process in processes_in(directory)} == before
        code, said = local("status", "--name", "trial")
        assert code == 0
        assert [line.split() for line in said.splitlines()[:3]] == [[name, "running"] for name in PROGRAMS]

        plane = ControlPlane.attach(directory)
        assert plane is not None
        os.kill(plane.process("etcd").identity.pid, signal.SIGKILL)
        wait_until("etcd is gone", lambda: len(processes_in(directory)) < len(PROGRAMS))
        code, said = local("status", "--name", "trial")
        assert code == 3
        assert said.splitlines()[0].split() == ["etcd", "dead"]
        assert local("up", "--name", "trial")[0] == 0
        assert local("status", "--name", "trial")[0] == 0
    finally:
        assert local("down", "--name", "trial", "--delete")[0] == 0
    assert processes_in(directory) == []
    assert not directory.exists()


class Trial:
    """A control plane in a temporary directory, driven by the command line."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(self, *arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [arguments[0], "--name", "trial", *arguments[1:]])
        return result.exit_code, result.output


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Trial]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    run = Trial(tmp_path / "integration-operator" / "local" / "trial")
    yield run
    run("down", "--delete")
    assert processes_in(run.directory) == []


async def apply(client: Client, documents: str) -> None:
    """Create objects as ``kubectl apply -f`` does."""
    for document in yaml.safe_load_all(documents):
        metadata, (group, _, version) = document["metadata"], document["apiVersion"].rpartition("/")
        root = f"/apis/{group}/{version}" if group else f"/api/{version}"
        inside = f"/namespaces/{metadata['namespace']}" if "namespace" in metadata else ""
        plural = document["kind"].lower() + ("es" if document["kind"] == "Syndesis" else "s")
        await client.post(f"{root}{inside}/{plural}", document)


async def test_platforms_and_operator_run_with_it(trial: Trial) -> None:
    code, said = await asyncio.to_thread(trial, "up", "--platforms")
    assert code == 0, said
    assert "SIMULATED" in said
    example = trial.directory / "example.yaml"
    assert f"kubectl apply -f {example}\n" in said
    (kubeconfig,) = re.findall(r"export KUBECONFIG=(\S+)", said)
    (integration,) = re.findall(r"kubectl patch integration (\S+) -n shop", said)
    path = f"/apis/integreatly.org/v1alpha1/namespaces/shop/integrations/{integration}"
    async with Client.from_kubeconfig(Path(kubeconfig)) as tenant:
        await apply(tenant, example.read_text())

        async def offered() -> bool:
            try:
                await tenant.get(path)
            except NotFound:
                return False
            return True

        await eventually("the pair is offered", offered, within=30)
        await tenant.patch(path, {"spec": {"enabled": True}})

        async def ready() -> bool:
            conditions = (await tenant.get(path)).get("status", {}).get("conditions", [])
            return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

        await eventually("the pair is Ready", ready, within=30)
        connections = await tenant.get("/apis/syndesis.io/v1alpha1/namespaces/shop/connections")
        assert [c["status"]["phase"] for c in connections["items"]] == ["Ready"]


def test_what_up_starts_is_shown_started_again_and_stopped(trial: Trial) -> None:
    assert trial("up")[0] == 0, "a control plane that ran before gets platforms, too"
    before = {process.pid for process in processes_in(trial.directory)}
    code, said = trial("up", "--platforms", "--no-operator")
    assert code == 0, said
    assert "integration-operator run --kubeconfig" in said
    names = [*PROGRAMS, "platforms"]
    assert [line.split() for line in trial("status")[1].splitlines()[:4]] == [[name, "running"] for name in names]
    assert before - {process.pid for process in processes_in(trial.directory)} != before, "it is the same control plane"

    plane = ControlPlane.attach(trial.directory)
    assert plane is not None
    os.kill(plane.process("platforms").identity.pid, signal.SIGKILL)
    wait_until("the simulations are gone", lambda: not plane.components()["platforms"])
    code, said = trial("status")
    assert (code, said.splitlines()[3].split()) == (3, ["platforms", "dead"])
    code, said = trial("up", "--platforms")
    assert code == 0, said
    assert [line.split() for line in trial("status")[1].splitlines()[3:5]] == [
        ["platforms", "running"],
        ["operator", "running"],
    ]
    assert trial("down") == (0, "Control plane trial is stopped.\n")
    assert processes_in(trial.directory) == []
    assert trial.directory.exists()


def test_errors_begin_with_the_name_of_the_program(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(app, ["up", "--name", "No Name"])
    assert result.stderr.startswith("integration-operator-sandbox: --name 'No Name': ")
    monkeypatch.setenv("KUBEBUILDER_ASSETS", "/nowhere")
    result = CliRunner().invoke(app, ["up", "--name", "trial"])
    assert (result.exit_code, len(result.stderr.splitlines())) == (4, 1)
    assert result.stderr.startswith("integration-operator-sandbox: KUBEBUILDER_ASSETS is /nowhere, which lacks etcd")
