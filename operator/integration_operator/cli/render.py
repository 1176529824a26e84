"""``integration-operator render``: offline, from files to the documents that would be applied."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Annotated, Any

import typer

from integration_operator.api.schema import to_yaml
from integration_operator.cli.explain import explanations
from integration_operator.cli.failure import NO_PAIR, WRONG_INPUT, fail
from integration_operator.cli.rules import ALL_DEFAULT_RULES, Rules, rules_of
from integration_operator.domain.actions import Apply, Deliver
from integration_operator.domain.conditions import summarise
from integration_operator.domain.desired import TemplateRefused

MASK = "********"

Files = Annotated[list[Path], typer.Option("-f", "--filename", help="File with AddressSpaces, Syndesis, Integrations.")]
Templates = Annotated[Path | None, typer.Option(help="Directory whose templates take the place of the shipped ones.")]


def render(filename: Files, templates: Templates = None, pairing_rules: Rules = ALL_DEFAULT_RULES) -> None:
    """Print the documents that would be applied for what is in the files. Secret values are masked.

    An Integration that is not in the files is taken as enabled. Exits with 3 where nothing would be delivered.
    """
    from integration_operator.engine.snapshot import Snapshot, UnreadableFile, read
    from integration_operator.rendering.templates import TemplateFiles

    try:
        files = TemplateFiles(templates)
        files.check()
        snapshot = Snapshot(read(filename), rules_of(pairing_rules))
    except (TemplateRefused, UnreadableFile) as error:
        fail(error, WRONG_INPUT)
    delivered = False
    reasons: list[str] = []
    for pair in snapshot.pairs():
        actions, decision = snapshot.settle(pair, files)
        for action in actions:
            if isinstance(action, (Apply, Deliver)):
                delivered |= action.kind != "Integration"
                over_rest = f" # by REST, delivery {action.how}" if isinstance(action, Deliver) else ""
                typer.echo(f"---{over_rest}\n{to_yaml(masked(action.document))}", nl=False)
        if decision.findings is not None:
            ready = summarise(decision.findings)[0]
            reasons.append(f"{pair}: {ready.reason}: {ready.message}")
    if not delivered:
        reasons += [f"Integration {ref}: it stands for no pair" for ref in snapshot.unpaired()]
        if not reasons:
            reasons = _no_pair(snapshot, rules_of(pairing_rules))
        fail("; ".join(reasons), NO_PAIR)


def masked(document: dict[str, Any]) -> dict[str, Any]:
    """The document without its secret values."""
    shown = copy.deepcopy(document)
    for key in shown.get("data", {}) if shown["kind"] == "Secret" else ():
        shown["data"][key] = MASK
    authentication = (shown.get("spec") or {}).get("authentication")
    if isinstance(authentication, dict) and "password" in authentication:
        authentication["password"] = MASK
    return shown


def _no_pair(snapshot: Any, rules: tuple[str, ...]) -> list[str]:
    found = explanations(snapshot.cluster, rules)
    if found:
        return [f"{e.pair}: {v.reason}: {v.message}" for e in found for v in e.obstacles]
    return [
        f"the files hold {len(snapshot.cluster.spaces)} AddressSpaces and {len(snapshot.cluster.syndesises)} Syndesis"
    ]
