"""Every error of a command is one line that says what to do, with an exit code of docs/settings.md."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from integration_operator.cli import entry, failure
from tests.support.command_line import piped

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gett",), "No such command 'gett'. Did you mean 'get'?; see integration-operator --help"),
        (("get", "--every"), "No such option: --every; see integration-operator get --help"),
        (("rotate",), "Missing argument 'NAME'; see integration-operator rotate --help"),
        (("get", "-o", "table"), "--output must be wide, json, yaml or name (got table)"),
        (("get", "-A", "-n", "shop"), "--namespace and --all-namespaces exclude each other"),
        (("get", "-w", "-o", "yaml"), "--watch shows one Integration or all, as a table or as names"),
        (("get", "-n", "a b"), "--namespace: 'a b' is not the name of a namespace"),
        (("enable",), "name Integrations, or use --all"),
        (("enable", "one", "--all"), "name Integrations, or use --all"),
        (("doctor", "--service-account", "name"), "--service-account must be NAMESPACE/NAME (got name)"),
    ],
)
async def test_wrong_input(arguments: tuple[str, ...], said: str) -> None:
    answer = await piped(None, *arguments)
    assert (answer.code, answer.out, answer.err) == (failure.WRONG_INPUT, "", f"integration-operator: {said}\n")


async def test_no_command_prints_the_help() -> None:
    answer, help_ = await piped(None), await piped(None, "--help")
    assert (answer.code, answer.out, answer.err) == (0, help_.out, "")
    assert "Commands:\n" in answer.out


@pytest.mark.parametrize("command", ["get", "tree", "events", "diff", "doctor", "explain", "enable --all"])
async def test_no_cluster(command: str) -> None:
    answer = await piped(None, *command.split())
    assert answer.code == failure.NO_CLUSTER
    assert answer.err.startswith("integration-operator: No cluster: tried --kubeconfig, $KUBECONFIG")
    assert answer.err.count("\n") == 1


def test_a_defect_is_one_line_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("two decisions\nundo each other")

    monkeypatch.setattr(entry, "app", broken)
    monkeypatch.setattr(sys, "argv", ["integration-operator", "get"])
    with pytest.raises(SystemExit) as ended:
        entry.main()
    assert ended.value.code == failure.DEFECT
    said = capsys.readouterr().err
    assert said.startswith("integration-operator: a defect of this program: RuntimeError: two decisions undo each")
    assert said.count("\n") == 1
    monkeypatch.setattr(sys, "argv", ["integration-operator", "get", "--debug"])
    with pytest.raises(RuntimeError):
        entry.main()


def test_each_exit_code_is_in_the_one_table() -> None:
    table = (ROOT / "docs/settings.md").read_text().split("## Exit codes", 1)[1].split("\n## ", 1)[0]
    documented = {int(code) for code in re.findall(r"^\| (\d+)", table, re.MULTILINE)}
    codes = {value for name, value in vars(failure).items() if name.isupper() and isinstance(value, int)}
    assert codes - {failure.MAX_LINE} | {0, 142} == documented
