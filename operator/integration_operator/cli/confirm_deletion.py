"""``integration-operator confirm-deletion``: releases pairs that a guard holds, one by one or as a whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from integration_operator.api import names
from integration_operator.cli.asking import ask
from integration_operator.cli.failure import NO_PAIR, WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import Context, Kubeconfig
from integration_operator.cli.following import described_condition
from integration_operator.cli.output import say
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.runtime.ref import Ref
from integration_operator.settings import Settings, load

if TYPE_CHECKING:
    from integration_operator.runtime.client import Client

HELD = ("MassDeletionHeld:", "AddressSpaceMoved:")
"""Reasons of the condition Paired that the annotation releases."""


def confirm_deletion(
    integrations: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="NAME or NAMESPACE/NAME of an Integration. Default: show what is held."),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Release everything that is held.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        str | None,
        typer.Option(
            "-n", "--namespace", help="Namespace of the Integrations. Default: all; the context's for a NAME."
        ),
    ] = None,
) -> None:
    """Confirm deletions that are held.

    AddressSpaces or Syndesis that vanished are then gone for good. The operator keeps what was delivered for them
    until this is confirmed. Then it deletes users, connections and Secrets.
    """
    if integrations and everything:
        fail("name Integrations, or use --all", WRONG_INPUT)
    with one_line():
        settings = load({"kubeconfig": kubeconfig, "context": context}, None)
        asyncio.run(_confirm(integrations or [], namespace, settings, everything=everything, yes=yes))


async def _confirm(
    names_: list[str], namespace: str | None, settings: Settings, *, everything: bool, yes: bool
) -> None:
    from integration_operator import resources
    from integration_operator.cli.reading import connected, read, ref_of, served_integrations

    async with connected(settings.kubeconfig, settings.context) as client:
        served = await served_integrations(client)
        reading = await read(client, (resources.INTEGRATION,), namespaces=(namespace,) if namespace else ())
        held = {i.ref: i for i in map(parse_integration, reading.documents["Integration"]) if _is_held(i)}
        chosen = [held[ref] for ref in sorted(held)]
        if names_:
            refs = [ref_of(name, namespace or client.namespace) for name in names_]
            if missing := [ref for ref in refs if ref not in held]:
                fail(f"Integration {missing[0]} is not held in {reading.scope}", NO_PAIR)
            chosen = [held[ref] for ref in refs]
        for integration in chosen:
            say(f"{integration.ref}: {described_condition(integration, 'Paired').partition('; if ')[0]}")
        if not chosen:
            say(f"Nothing is held in {reading.scope}.")
        elif not (names_ or everything):
            say(f"{len(chosen)} held. To release them: integration-operator confirm-deletion --all")
        else:
            if not yes:
                number = f"{len(chosen)} Integration{'s' if len(chosen) > 1 else ''}"
                ask(f"Delete the users, connections and Secrets of {number}?", refused="nothing is released")
            await _release(client, {i.ref: served.item(*i.ref) for i in chosen})


def _is_held(integration: Integration) -> bool:
    return described_condition(integration, "Paired").startswith(HELD) and not integration.deletion_confirmed


async def _release(client: Client, paths: dict[Ref, str]) -> None:
    for ref, path in paths.items():
        await client.patch(path, {"metadata": {"annotations": {names.CONFIRM_DELETION: "true"}}})
        say(f"{ref}: released")
