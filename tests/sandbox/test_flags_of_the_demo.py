"""The demo's flags name a cluster as kubectl's do; a wrong one is reported in one line with the program's name."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from integration_operator_sandbox.cli import app

KUBECONFIG = {
    "clusters": [{"name": "one", "cluster": {"server": "https://one.example"}}],
    "users": [{"name": "one", "user": {"token": "one"}}],
    "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
}


def test_the_demo_takes_a_context_of_an_existing_cluster(tmp_path: Path) -> None:
    runner = CliRunner()
    result = runner.invoke(app, ["demo", "--context", "two"])
    assert (result.exit_code, "--context needs --kubeconfig" in result.stderr) == (2, True), result.output
    result = runner.invoke(app, ["demo", "--kubeconfig", "/nope"])
    assert (result.exit_code, result.stderr) == (4, "integration-operator-sandbox: --kubeconfig /nope: no such file\n")
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(KUBECONFIG))
    result = runner.invoke(app, ["demo", "--kubeconfig", str(file), "--context", "two"])
    assert (result.exit_code, 'no context "two"; it has one' in result.stderr) == (2, True), result.output


def test_a_broker_needs_the_library_to_test_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integration_operator_sandbox.demo.broker.available", lambda: False)
    result = CliRunner().invoke(app, ["demo", "--broker"])
    assert result.exit_code == 4, result.output
    assert result.stderr == (
        "integration-operator-sandbox: --broker needs python-qpid-proton: install a C compiler, and pip install "
        "'integration-operator[amqp]'\n"
    )


@pytest.mark.parametrize(
    "command", [["demo", "--delivery", "post"], ["up", "--name", "No Name"], ["demo", "--context", "a"]]
)
def test_errors_are_one_line_with_the_name_of_the_program(command: list[str]) -> None:
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("integration-operator-sandbox: --")


@pytest.mark.parametrize("command", ["demo", "up", "down", "status", "build", "syndesis", "toolchain"])
def test_every_command_explains_itself(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert f"integration-operator-sandbox {command}" in result.stdout
