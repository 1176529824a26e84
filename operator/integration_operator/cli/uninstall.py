"""``integration-operator uninstall``: takes down what the operator made, before it is removed itself.

It runs the operator's own controller, with a plan that takes every pair down, until nothing is left. An interrupted run
is repeated.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from integration_operator.api import names
from integration_operator.cli.actions import described
from integration_operator.cli.asking import ask
from integration_operator.cli.failure import UNFINISHED, WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import Config, Context, Kubeconfig
from integration_operator.cli.following import described_condition
from integration_operator.cli.live import live_dry_run
from integration_operator.cli.output import say
from integration_operator.cli.running import DEPLOYMENTS, LEASES, is_fresh
from integration_operator.domain.model.pair import Pair
from integration_operator.settings import Settings, load

if TYPE_CHECKING:
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.manager import Operator
    from integration_operator.rendering.templates import TemplateFiles
    from integration_operator.runtime.client import Client

Policy = Literal["delete", "retain"]

POLL = 0.5
"""Seconds between two looks at what is left; the looks send no request."""


def uninstall(
    retain: Annotated[
        bool, typer.Option("--retain", help="Keep users, connections and Secrets; only release them from the operator.")
    ] = False,
    plan_only: Annotated[bool, typer.Option("--dry-run", help="Show the steps and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    config: Config = None,
    within: Annotated[float, typer.Option(help="Seconds to wait until nothing is left.")] = 300.0,
) -> None:
    """Take down what the operator created.

    Deletes all its users, connections, Secrets and offers, and its finalizers. Stop the operator before, and delete
    its CustomResourceDefinitions and Deployment afterwards. Use the settings of the operator (--config).
    Integrations that users wrote stay.
    """
    from integration_operator.rendering.templates import TemplateFiles

    policy: Policy = "retain" if retain else "delete"
    with one_line():
        settings = load({"kubeconfig": kubeconfig, "context": context}, config)
        templates = TemplateFiles(settings.templates)
        templates.check()
        asyncio.run(_uninstall(settings, templates, policy, plan_only=plan_only, yes=yes, within=within))


async def _uninstall(
    settings: Settings, templates: TemplateFiles, policy: Policy, *, plan_only: bool, yes: bool, within: float
) -> None:
    from integration_operator.cli.reading import connected
    from integration_operator.manager import Operator

    plan = replace(settings.plan_settings, uninstall=policy)
    async with connected(settings.kubeconfig, settings.context) as client:
        if not plan_only:
            await _refuse_while_running(client)
        pairs = _say_steps(await live_dry_run(client, settings, plan), templates)
        if not pairs:
            say("Nothing is left.")
        if plan_only or not pairs:
            return
        if not yes:
            question = f"{policy.capitalize()} what was delivered for {pairs} pair{'s' if pairs > 1 else ''}?"
            ask(question, refused="nothing is changed")
        operator = Operator(client, templates, settings, plan=plan)
        async with operator.running():
            await _finish(operator, within)
        if policy == "retain":
            await _remove_finalizers(operator)
    say("done; delete the Deployment and the CustomResourceDefinitions of the operator now")


def _say_steps(dry_run: DryRun, templates: TemplateFiles) -> int:
    """Print the steps of all pairs; return how many pairs have any."""
    count = 0
    for pair in dry_run.pairs():
        actions, _ = dry_run.settle(pair, templates)
        if actions:
            count += 1
            say(str(pair))
            for number, action in enumerate(actions, 1):
                say(f"{number}. {described(action)}", indent=2)
    return count


async def _finish(operator: Operator, within: float) -> None:
    """Wait until nothing is left, and print how far it is."""
    await operator.cache.synced()
    printed = ""
    deadline = asyncio.get_running_loop().time() + within
    while left := operator.controller.unfinished():
        state = f"{len(left)} pair{'s' if len(left) > 1 else ''} left: {_reason(operator, min(left))}"
        if state != printed:
            say(f"… {state}", indent=2)
            printed = state
        if asyncio.get_running_loop().time() > deadline:
            fail(f"not done within {within:.0f} s; {printed}. Repeat the command to go on", UNFINISHED)
        await asyncio.sleep(POLL)


def _reason(operator: Operator, pair: Pair) -> str:
    """Return what a pair waits for, as its Integration reports it."""
    integrations = operator.cache.integrations.by("pair", pair)
    reported = (described_condition(integration, "UserReady") for integration in integrations)
    return f"{pair} {next(reported, '')}".strip()


async def _remove_finalizers(operator: Operator) -> None:
    """Remove our finalizer from every Integration; what it records over REST is the user's from now on."""
    writer = operator.cache.writer("Integration", names.FIELD_MANAGER)
    for integration in operator.cache.integrations:
        if integration.holds_rest_state:
            await writer.set_finalizer(
                integration.ref,
                integration.live.uid,
                names.REST_STATE_FINALIZER,
                present=False,
                manager=names.FINALIZER_MANAGER,
            )
            say(f"{integration.ref}: released")


async def _refuse_while_running(client: Client) -> None:
    """End the command if the operator runs, or would be started again: both would undo each other's work."""
    for deployment in (await client.get(*DEPLOYMENTS)).get("items") or ():
        metadata, replicas = deployment["metadata"], (deployment.get("spec") or {}).get("replicas", 1)
        if replicas or (deployment.get("status") or {}).get("replicas"):
            where = f"{metadata['name']} -n {metadata['namespace']}"
            fail(
                f"Deployment {metadata['namespace']}/{metadata['name']} runs the operator; stop it first: "
                f"kubectl scale deployment {where} --replicas=0",
                WRONG_INPUT,
            )
    for lease in (await client.get(*LEASES)).get("items") or ():
        spec = lease.get("spec") or {}
        if is_fresh(spec):
            fail(f"process {spec['holderIdentity']} leads the operator; stop it first", WRONG_INPUT)
