"""Nothing that a tenant wrote reaches the terminal as an escape sequence, and a reader that goes away is no error."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from integration_operator.api import names
from integration_operator.cli import app
from tests.support.builders import integration, syndesis
from tests.support.builders import space as address_space

EVIL = "x\x1b]0;owned\x07\x9b31m\u202e\ny"


def evil_documents(*, invalid: bool) -> str:
    space = address_space(ready=False, annotations={names.ALLOWED_NAMESPACES: f"{EVIL},fu{EVIL}"})
    space["status"]["messages"] = [EVIL]
    if invalid:
        space["spec"]["authenticationService"]["name"] = EVIL
    status = {
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "Evil",
                "message": EVIL,
                "lastTransitionTime": "2024-01-01T00:00:00Z",
            }
        ]
    }
    wrong = integration(name="wrong", deletionPolicy=EVIL)
    wrong["spec"]["authorization"] = [{f"owned{EVIL}": 1, "operations": ["send"]}]
    documents = [
        space,
        syndesis(),
        syndesis("fuse", phase=EVIL),
        {**integration(enabled=True), "status": status},
        *([wrong] if invalid else ()),
    ]
    return yaml.safe_dump_all(documents)


@pytest.mark.parametrize("command", [["explain"], ["explain", "-o", "json"], ["render"]], ids=" ".join)
def test_no_control_character_is_printed(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(evil_documents(invalid=command != ["render"]))
    result = CliRunner().invoke(app, [*command, "-f", str(file)])
    assert "owned" in result.output, "the text itself is shown"
    assert result.exit_code in (0, 3), result.output
    shown = set(result.output) - {"\n"}
    assert {character for character in shown if not character.isprintable()} == set(), result.output


def test_a_name_on_the_command_line_is_made_safe() -> None:
    for arguments in (
        ["explain", "-f", f"/{EVIL}"],
        ["explain", "--kubeconfig", f"/{EVIL}"],
        ["run", "--config", f"/{EVIL}"],
    ):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code in (2, 4), result.output
        assert all(character.isprintable() for character in result.output.rstrip("\n")), arguments


def test_what_is_rendered_is_safe_too(tmp_path: Path) -> None:
    """A value that a template prints is YAML, which escapes what a terminal would act on."""
    file, templates = tmp_path / "file.yaml", tmp_path / "templates"
    file.write_text(yaml.safe_dump_all([address_space(), syndesis()]))
    templates.mkdir()
    shipped = (Path(__file__).parents[2] / "templates" / "connection.yaml.j2").read_text()
    evil = shipped.replace('("Messaging of', '("\\u001b]0;owned\\u0007\\u009bMessaging of')
    assert evil != shipped
    (templates / "connection.yaml.j2").write_text(evil)
    result = CliRunner().invoke(app, ["render", "-f", str(file), "--templates", str(templates)])
    assert result.exit_code == 0, result.output
    assert "owned" in result.stdout
    assert all(character.isprintable() for character in result.stdout if character != "\n")


@pytest.mark.parametrize("command", [["crds"], ["render", "-f", "FILE"], ["explain", "-f", "FILE"]], ids=lambda c: c[0])
def test_a_reader_that_goes_away_is_no_error(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    spaces = [address_space(name=f"space-{number}") for number in range(200)]
    file.write_text(yaml.safe_dump_all([*spaces, syndesis()]))
    arguments = [str(file) if part == "FILE" else part for part in command]
    line = [sys.executable, "-m", "integration_operator", *arguments]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stderr is not None
    fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)  # less than each command prints: it waits for the reader
    process.stdout.read(1)
    process.stdout.close()
    errors = process.stderr.read()
    assert (process.wait(30), errors) == (-13, ""), "killed by SIGPIPE, as other tools"
