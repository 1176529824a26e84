"""The command is a plugin of kubectl: its programs have the names that kubectl looks for, and complete for it."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from integration_operator.cli import entry

ROOT = Path(__file__).parents[2]
SCRIPTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]


def test_the_programs_are_installed_under_the_names_that_kubectl_looks_for() -> None:
    assert set(SCRIPTS) == {"integration-operator", "kubectl-integration", "kubectl_complete-integration"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_program_has_its_entry_point(name: str) -> None:
    module, _, function = SCRIPTS[name].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


async def test_help_as_a_plugin_of_kubectl_names_kubectl(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl-integration", "get", "-h"])
    with pytest.raises(SystemExit) as ended:
        entry.kubectl_plugin()
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("Usage: kubectl integration get [OPTIONS]")


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["ge"], ["get"]), (["sus"], ["suspend"]), (["get", "--all-n"], ["--all-namespaces"]), (["get", "x"], [])],
)
def test_kubectl_completes_commands_and_flags(words: list[str], expected: list[str]) -> None:
    program = "from integration_operator.cli.entry import kubectl_completion; kubectl_completion()"
    environment = {**os.environ, "KUBECONFIG": "/none"}
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.stdout.split() == [*expected, ":4"]
    assert done.stderr == ""
