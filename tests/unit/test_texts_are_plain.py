"""What users read is plain: messages of conditions and Events, help, descriptions of fields, log events."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
import yaml

from integration_operator.cli import app
from integration_operator.domain.model.conditions import CHOSEN, NOT_VERIFIED, PROGRESS
from integration_operator.settings import Settings

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "operator/integration_operator"

MESSAGE_OF = {"success": 1, "failure": 1, "blocked": 1, "Condition": 3, "_unpaired": 1, "Event": 2, "Failure": 1}
"""The position of the message in calls that make checks, conditions, Events and failures. The reason is before it."""

PASSES = (
    PROGRESS
    | CHOSEN.keys()
    | NOT_VERIFIED
    | {"Ready", "Uninstalling", "IntegrationDeleting", "NamespaceTerminating", "FinalizerMissing", "Removing"}
)
"""Reasons that need no user, or that a user chose."""

FACT_ENOUGH = {
    "AddressSpaceNotReady": "EnMasse says in the status what it waits for",
    "AddressSpaceMalformed": "the message lists the facts that are malformed",
    "NoMessagingEndpoint": "EnMasse has not made the endpoint",
    "NoPort": "the message lists the ports",
    "InvalidName": "the message says which names EnMasse serves",
    "SyndesisNotInstalled": "the Syndesis's own status says why",
    "UserFailed": "EnMasse's own message",
    "ConnectionFailed": "Syndesis's own message",
    "VerificationFailed": "Syndesis's own message",
    "OtherNamespace": "an administrator chose the only rule",
    "OtherCreator": "the message names both annotations",
    "NoSyndesis": "the message names the namespace",
    "IntegrationGone": "the Integration was deleted",
    "DeliveryNotAvailable": "a defect",
    "Defect": "the log says more",
    "EnMasseUpgrading": "the message names the setting",
    "ConnectionInUse": "Syndesis's own rule",
}
"""Reasons whose message needs no next step, and why."""

NEXT_STEP = re.compile(
    r"\b(set|add|delete|rename|create|label|release|choose|enable|install|ask for|must|stop|limit|annotate|publish)\b"
    r"|\b(restart|name a|kubectl)\b"
    r"|: \{…\}$",
    re.IGNORECASE,
)
"""An instruction, or a command at the end."""

DIALECT = re.compile(
    r"\b(somebody|nobody|a person|people|let go|stands? for|stranger|stray|made anew|put back|handed over|wanted|"
    r"stand-in|what is there|looked at)\b"
)
"""Words of an earlier, private language. docs/glossary.md has the ones that are used."""


class Text(NamedTuple):
    where: str
    reason: str
    text: str


def rendered(node: ast.expr) -> str | None:
    """Return the text of an expression, with ``{…}`` in place of what is filled in; None if it is not a text."""
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    if isinstance(node, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "{…}" for v in node.values)
    return None


def assigned_before(function: ast.AST) -> dict[str, str]:
    """Return the texts that a function assigns to names."""
    found = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            text = rendered(node.value)
            if text is not None:
                found[node.targets[0].id] = text
    return found


def messages() -> Iterator[Text]:
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        for function in [node for node in ast.walk(tree) if isinstance(node, functions)]:
            names = assigned_before(function)
            for node in ast.walk(function):
                if not isinstance(node, ast.Call):
                    continue
                name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                position = MESSAGE_OF.get(name)
                if position is None or len(node.args) <= position:
                    continue
                argument = node.args[position]
                text = names.get(argument.id) if isinstance(argument, ast.Name) else rendered(argument)
                reason = rendered(node.args[position - 1]) or ""
                if text:
                    yield Text(f"{file.relative_to(PACKAGE)}:{node.lineno}", "" if name == "success" else reason, text)


MESSAGES = list(messages())


def test_messages_are_found() -> None:
    assert len(MESSAGES) > 60
    assert {"NotEnabled", "SecretNotFound", "NameTaken", "MassDeletionHeld"} <= {message.reason for message in MESSAGES}


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: f"{m.where} {m.reason}")
def test_a_message_begins_with_a_capital_or_a_field_and_has_no_full_stop(message: Text) -> None:
    assert re.match(r"[A-Z{]|spec\.|status\.", message.text), message.text
    assert not message.text.endswith("."), message.text


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: f"{m.where} {m.reason}")
def test_a_message_uses_the_words_of_the_glossary(message: Text) -> None:
    assert not DIALECT.search(message.text), message.text


@pytest.mark.parametrize(
    "message",
    [
        message
        for message in MESSAGES
        if message.where.startswith("domain")
        and message.reason not in {"", *PASSES, *FACT_ENOUGH}
        and "{…}" not in (message.reason[:3], message.text[:3])  # composed of messages that are tested themselves
    ],
    ids=lambda m: f"{m.where} {m.reason}",
)
def test_a_message_that_a_user_has_to_act_on_says_the_next_step(message: Text) -> None:
    assert NEXT_STEP.search(message.text), message.text


def descriptions(node: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the descriptions in a schema, with the path of each field."""
    if isinstance(node, dict):
        if isinstance(node.get("description"), str):
            yield path, node["description"]
        for key, value in node.items():
            yield from descriptions(value, f"{path}.{key}")
    elif isinstance(node, list):
        for value in node:
            yield from descriptions(value, path)


@pytest.mark.parametrize("crd", sorted((ROOT / "crds").glob("*.*.yaml")), ids=lambda crd: crd.name)
def test_descriptions_of_fields_are_sentences(crd: Path) -> None:
    found = list(descriptions(yaml.safe_load(crd.read_text())))
    assert len(found) > 20
    for path, text in found:
        assert re.match(r"[A-Z]|msgHost", text), f"{path}: {text}"
        assert text.endswith(".") or "See https://" in text, f"{path}: {text}"
        assert not DIALECT.search(text), f"{path}: {text}"


def test_descriptions_of_settings_are_sentences() -> None:
    for name, field in Settings.model_fields.items():
        text = str(field.description)
        assert re.match(r"[A-Z]", text), f"{name}: {text}"
        assert text.endswith("."), f"{name}: {text}"
        assert not DIALECT.search(text), f"{name}: {text}"


def test_help_of_commands_is_in_the_imperative() -> None:
    group = typer.main.get_command(app)
    commands = group.commands  # type: ignore[attr-defined]
    assert {"run", "render", "explain", "migrate", "rotate", "test", "confirm-deletion", "uninstall", "crds"} <= set(
        commands
    )
    for name, command in commands.items():
        first = str(command.help).split()[0]
        assert re.fullmatch(r"[A-Z][a-z]+", first), f"{name}: {command.help}"
        assert not first.endswith("s"), f"{name}: {command.help}"
        for parameter in command.params:
            text = str(getattr(parameter, "help", "") or "")
            assert not DIALECT.search(text), f"{name} {parameter.name}: {text}"
            if text:
                assert re.match(r"[A-Z]", text) or " or " in text, f"{name} {parameter.name}: {text}"


LOG_METHODS = {"debug", "info", "warning", "error", "exception"}


def log_events() -> Iterator[tuple[str, str]]:
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            target = node.func.value
            name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            if node.func.attr in LOG_METHODS and name in ("log", "_log") and node.args:
                yield f"{file.relative_to(PACKAGE)}:{node.lineno}", ast.unparse(node.args[0])


def test_log_events_are_short_constant_phrases() -> None:
    found = list(log_events())
    assert len(found) > 15
    for where, event in found:
        for text in re.findall(r"'([^']*)'", event):
            assert text.replace("REST", "rest").islower(), f"{where}: {text}"
            assert len(text.split()) <= 5, f"{where}: {text}"
            assert not text.endswith("."), f"{where}: {text}"
        assert "f'" not in event, f"{where}: {event} is not constant"
