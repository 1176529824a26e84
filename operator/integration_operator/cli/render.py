"""``integration-operator render``: offline, from files to the documents that would be applied."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from integration_operator.cli.explanation import explanations
from integration_operator.cli.failure import NO_PAIR, WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import Config, PairingRules, Templates
from integration_operator.cli.output import echo
from integration_operator.domain.model.actions import Apply, EnsureRemote
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.conditions import summarize
from integration_operator.runtime.ref import Ref
from integration_operator.settings import load

if TYPE_CHECKING:
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.controllers.integration.gather import Key
    from integration_operator.rendering.templates import TemplateFiles

MASK = "********"

Files = Annotated[
    list[Path],
    typer.Option("-f", "--filename", help="File or directory with AddressSpaces, Syndesis, Integrations; - is stdin."),
]


def render(
    filename: Files, config: Config = None, templates: Templates = None, pairing_rules: PairingRules = None
) -> None:
    """Print what would be applied for files.

    Secret values are masked. A pair whose Integration is not in the files is rendered as if it were enabled. Exits
    with 3 if nothing would be delivered.
    """
    from integration_operator.api.schema import to_yaml
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.controllers.integration.offline import cache_of_documents, read
    from integration_operator.rendering.templates import TemplateFiles

    with one_line():
        settings = load({"templates": templates, "pairing_rules": pairing_rules}, config)
        files = TemplateFiles(settings.templates)
        files.check()
        dry_run = DryRun(cache_of_documents(read(filename)), replace(settings.plan_settings, enable_new=True))
    if invalid := [f"Integration {i.ref}: {i.problem}" for i in dry_run.cache.integrations if i.problem]:
        fail("; ".join(sorted(invalid)), WRONG_INPUT)
    delivered = False
    reasons: list[str] = []
    for pair in dry_run.pairs():
        actions, plan = dry_run.settle(pair, files)
        for action in actions:
            if isinstance(action, (Apply, EnsureRemote)):
                delivered |= action.kind != "Integration"
                over_rest = f" # by REST, delivery {action.delivery}" if isinstance(action, EnsureRemote) else ""
                echo(f"---{over_rest}\n{to_yaml(masked(action.document))}")
        if plan.conditions is not None:
            ready = summarize(plan.conditions)[0]
            reasons.append(f"{pair}: {ready.reason}: {ready.message}")
    if not delivered:
        reasons += [_why_unpaired(dry_run, ref) for ref in dry_run.unpaired()]
        fail("; ".join(reasons or _why_no_pair(dry_run, settings.pairing_rules, files)), NO_PAIR)


def masked(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document without its secret values."""
    shown = copy.deepcopy(document)
    for key in shown.get("data", {}) if shown["kind"] == "Secret" else ():
        shown["data"][key] = MASK
    authentication = (shown.get("spec") or {}).get("authentication")
    if isinstance(authentication, dict) and "password" in authentication:
        authentication["password"] = MASK
    return shown


def _why_unpaired(dry_run: DryRun, key: Key) -> str:
    """Return why an Integration has no pair."""
    integration = dry_run.cache.integrations.get(key) if isinstance(key, Ref) else None
    check = dry_run.gatherer.pair_of(integration) if integration is not None else None
    why = f": {check.reason}: {check.message}" if isinstance(check, Check) else ""
    return f"Integration {key} has no pair{why}"


def _why_no_pair(dry_run: DryRun, rules: tuple[str, ...], templates: TemplateFiles) -> list[str]:
    if explained := explanations(dry_run, rules, templates):
        return [f"{e.pair}: {check.reason}: {check.message}" for e in explained for check in e.obstacles]
    return [
        f"the files hold {len(dry_run.cache.spaces)} AddressSpaces and {len(dry_run.cache.syndesises)} Syndesis; "
        "a pair needs one of each"
    ]
