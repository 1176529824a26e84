"""The README of the sandbox lists the commands that there are, and its examples run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from typer.main import get_command

from integration_operator_sandbox.cli import app

README = (Path(__file__).parents[2] / "sandbox" / "README.md").read_text()


def test_every_command_is_listed() -> None:
    table = README.split("## Command line")[1].split("## ")[0]
    listed = set(re.findall(r"^\| `([a-z]+)", table, re.MULTILINE))
    assert listed == set(get_command(app).commands)  # type: ignore[attr-defined]
    options = {
        option
        for command in get_command(app).commands.values()  # type: ignore[attr-defined]
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert set(re.findall(r"--[a-z][a-z-]+", table)) <= options


def test_the_examples_for_pytest_can_be_imported() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 2
    scope: dict[str, Any] = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), scope)
    assert {"control_plane", "test_something", "test_with_enmasse"} <= set(scope)
