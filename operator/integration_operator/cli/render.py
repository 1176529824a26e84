"""``integration-operator render``: offline, from files to the documents that would be applied."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from integration_operator.api.schema import to_yaml
from integration_operator.cli.explain import explanations
from integration_operator.cli.failure import NO_PAIR, WRONG_INPUT, fail, one_line
from integration_operator.cli.output import echo
from integration_operator.cli.rules import ALL_DEFAULT_RULES, Rules, rules_of
from integration_operator.domain.actions import Apply, Deliver
from integration_operator.domain.conditions import summarise
from integration_operator.domain.pair import Ref
from integration_operator.domain.verdict import Verdict

if TYPE_CHECKING:
    from integration_operator.engine.gathering import Key
    from integration_operator.engine.snapshot import Snapshot

MASK = "********"

Files = Annotated[
    list[Path],
    typer.Option("-f", "--filename", help="File or directory with AddressSpaces, Syndesis, Integrations; - is stdin."),
]
Templates = Annotated[
    Path | None, typer.Option(help="Directory with templates that replace the shipped ones of the same name.")
]


def render(filename: Files, templates: Templates = None, pairing_rules: Rules = ALL_DEFAULT_RULES) -> None:
    """Print the documents that would be applied for what is in the files. Secret values are masked.

    A pair whose Integration is not in the files is rendered as if it were enabled. Exits with 3 if nothing would be
    delivered.
    """
    from integration_operator.engine.snapshot import Snapshot, read
    from integration_operator.rendering.templates import TemplateFiles

    rules = rules_of(pairing_rules)
    with one_line():
        files = TemplateFiles(templates)
        files.check()
        snapshot = Snapshot(read(filename), rules)
    if wrong := [f"Integration {i.ref}: {i.problem}" for i in snapshot.cluster.integrations if i.problem]:
        fail("; ".join(sorted(wrong)), WRONG_INPUT)
    delivered = False
    reasons: list[str] = []
    for pair in snapshot.pairs():
        actions, decision = snapshot.settle(pair, files)
        for action in actions:
            if isinstance(action, (Apply, Deliver)):
                delivered |= action.kind != "Integration"
                over_rest = f" # by REST, delivery {action.how}" if isinstance(action, Deliver) else ""
                echo(f"---{over_rest}\n{to_yaml(masked(action.document))}")
        if decision.findings is not None:
            ready = summarise(decision.findings)[0]
            reasons.append(f"{pair}: {ready.reason}: {ready.message}")
    if not delivered:
        reasons += [_no_pair_of(snapshot, ref) for ref in snapshot.unpaired()]
        if not reasons:
            reasons = _no_pair(snapshot, rules)
        fail("; ".join(reasons), NO_PAIR)


def masked(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without its secret values."""
    shown = copy.deepcopy(document)
    for key in shown.get("data", {}) if shown["kind"] == "Secret" else ():
        shown["data"][key] = MASK
    authentication = (shown.get("spec") or {}).get("authentication")
    if isinstance(authentication, dict) and "password" in authentication:
        authentication["password"] = MASK
    return shown


def _no_pair_of(snapshot: Snapshot, key: Key) -> str:
    """Return why an Integration stands for no pair."""
    integration = snapshot.cluster.integrations.get(key) if isinstance(key, Ref) else None
    why = snapshot.gatherer.pair_of(integration) if integration is not None else None
    said = f": {why.reason}: {why.message}" if isinstance(why, Verdict) else ""
    return f"Integration {key} stands for no pair{said}"


def _no_pair(snapshot: Snapshot, rules: tuple[str, ...]) -> list[str]:
    found = explanations(snapshot, rules)
    if found:
        return [f"{e.pair}: {v.reason}: {v.message}" for e in found for v in e.obstacles]
    return [
        f"the files hold {len(snapshot.cluster.spaces)} AddressSpaces and {len(snapshot.cluster.syndesises)} Syndesis; "
        "a pair needs one of each"
    ]
