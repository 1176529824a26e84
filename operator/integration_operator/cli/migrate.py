"""``integration-operator migrate``: from REST to resources and back, shown before, and watched while it is done."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from integration_operator.cli.failure import NO_PAIR, UNFINISHED, WRONG_INPUT, fail
from integration_operator.cli.reading import reading
from integration_operator.cli.rules import ALL_DEFAULT_RULES, Rules, rules_of
from integration_operator.domain.actions import Action, Apply, Deliver, Finalize, LetGo, Remove, Withdraw
from integration_operator.domain.desired import TemplateRefused, Templates
from integration_operator.domain.integration import Integration
from integration_operator.domain.pair import Pair

if TYPE_CHECKING:
    from integration_operator.cluster import Cluster

Target = Literal["native", "rest"]

DELIVERIES: dict[Target, dict[str, str]] = {
    "native": {"user": "native", "connection": "native"},
    "rest": {"user": "auto", "connection": "rest"},
}
"""What ``spec.delivery`` is set to. A user stays a MessagingUser where there is such a kind: Keycloak is the last
choice, and a person's to make."""


def migrate(
    integrations: Annotated[list[str] | None, typer.Argument(help="NAMESPACE/NAME; all enabled ones if none.")] = None,
    to: Annotated[str, typer.Option("--to", help="native or rest")] = "native",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps and do nothing.")] = False,
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; KUBECONFIG if left out.")] = None,
    templates: Annotated[Path | None, typer.Option(help="The operator's own templates, if it has any.")] = None,
    pairing_rules: Rules = ALL_DEFAULT_RULES,
    within: Annotated[float, typer.Option(help="Seconds to wait for each Integration.")] = 120.0,
) -> None:
    """Move Integrations between deliveries, with the same credential and the same connection.

    The running operator does the steps; each may be interrupted, and goes on where it was.
    """
    from integration_operator.rendering.templates import TemplateFiles

    if to not in ("native", "rest"):
        raise typer.BadParameter("native or rest", param_hint="--to")
    target: Target = "native" if to == "native" else "rest"
    rules = rules_of(pairing_rules)
    try:
        files = TemplateFiles(templates)
        files.check()
    except TemplateRefused as error:
        fail(error, WRONG_INPUT)
    asyncio.run(_migrate(integrations or [], target, dry_run, kubeconfig, files, rules, within))


async def _migrate(
    chosen: list[str],
    to: Target,
    dry_run: bool,
    kubeconfig: Path | None,
    templates: Templates,
    rules: tuple[str, ...],
    within: float,
) -> None:
    from integration_operator.engine.snapshot import Rehearsal

    async with reading(kubeconfig) as cluster:
        rehearsal = Rehearsal(cluster, rules)
        found = [i for i in cluster.integrations if i.enabled and (not chosen or str(i.ref) in chosen)]
        missing = set(chosen) - {str(i.ref) for i in found}
        if missing or not found:
            fail(f"no enabled Integration {', '.join(sorted(missing)) or 'is there'}", NO_PAIR)
        for integration in sorted(found, key=lambda i: i.ref):
            pair = rehearsal.gatherer.key_of(integration)
            if not isinstance(pair, Pair):
                typer.echo(f"{integration.ref}: stands for no pair")
                continue
            typer.echo(f"{integration.ref}: to {to}")
            for number, action in enumerate(steps(rehearsal, integration, pair, to, templates), 1):
                typer.echo(f"  {number}. {described(action)}")
            if not dry_run:
                await _drive(cluster, integration, to, within)


def steps(rehearsal: Any, integration: Integration, pair: Pair, to: Target, templates: Templates) -> list[Action]:
    """What the operator would do, decided by its own functions on what the cluster shows."""
    document = integration.live.document
    rehearsal.merge("Integration", integration.ref, {"spec": {**document["spec"], "delivery": DELIVERIES[to]}})
    actions: list[Action] = rehearsal.settle(pair, templates)[0]
    return actions


def described(action: Action) -> str:
    """One step in plain words."""
    match action:
        case Apply():
            return f"apply {action.kind} {action.ref}: {action.why}"
        case Remove():
            return f"remove {action.kind} {action.ref}: {action.why}"
        case Deliver():
            return f"deliver {action.kind} {action.ref} by {action.how}: {action.why}"
        case Withdraw():
            return f"withdraw {action.kind} {action.ref} by {action.how}: {action.why}"
        case LetGo():
            return f"let go of {action.kind} {action.ref}: {action.why}"
        case Finalize():
            return (
                f"{'put' if action.present else 'take'} the finalizer {'on' if action.present else 'off'}: {action.why}"
            )


async def _drive(cluster: Cluster, integration: Integration, to: Target, within: float) -> None:
    """Ask for the delivery, and wait until the operator says that it is done."""
    served = cluster.served("Integration")
    assert served is not None
    await cluster.client.patch(served.item(*integration.ref), {"spec": {"delivery": DELIVERIES[to]}})
    said = ""
    try:
        async with asyncio.timeout(within):
            while True:
                current = cluster.integrations.get(integration.ref)
                if current is None:
                    fail(f"{integration.ref} is gone", NO_PAIR)
                connection = (current.status.get("delivered") or {}).get("connection") or {}
                now = f"connection {connection.get('delivery')} {connection.get('id', '')}: {_ready(current)}"
                if now != said:
                    typer.echo(f"  … {now}")
                    said = now
                if _done(current, connection, to):
                    typer.echo("  done")
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        fail(f"{integration.ref}: not done within {within:.0f} s; last: {said}. Is the operator running?", UNFINISHED)


def _done(integration: Integration, connection: dict[str, Any], to: Target) -> bool:
    current = integration.status.get("observedGeneration") == integration.generation
    return current and connection.get("delivery") == to and _ready(integration).startswith("Ready")


def _ready(integration: Integration) -> str:
    conditions = integration.status.get("conditions") or ()
    ready: dict[str, Any] = next((c for c in conditions if c["type"] == "Ready"), {})
    return f"{ready.get('reason', '')}: {ready.get('message', '')}"
