"""``integration-operator explain``: what the operator would do for each pair and each Integration, and why."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from integration_operator.api.model import DNS_LABEL
from integration_operator.cli.completion import names_that_begin
from integration_operator.cli.explanation import Explanation, explanations
from integration_operator.cli.failure import NO_PAIR, WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import (
    Config,
    Context,
    EnMasseNamespace,
    Kubeconfig,
    Output,
    PairingRules,
    check_output,
)
from integration_operator.cli.output import echo, say
from integration_operator.cli.reading import connected, read, ref_of
from integration_operator.cli.scope import fail_missing
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.integration import Integration
from integration_operator.runtime.text import sanitized
from integration_operator.settings import Settings, load

if TYPE_CHECKING:
    from integration_operator.cli.reading import Reading

NOT_READ = ("Secrets", "MessagingUsers", "Connections")


def explain(
    integrations: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="NAME or NAMESPACE/NAME of an Integration. Default: all pairs.",
            autocompletion=names_that_begin,
        ),
    ] = None,
    filename: Annotated[
        list[Path] | None,
        typer.Option("-f", "--filename", help="File or directory to explain instead of a cluster; - is stdin."),
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "-n",
            "--namespace",
            help="Namespace to look at; may be given more than once. Default: all namespaces, or the context's "
            "namespace if you may not list in all.",
        ),
    ] = None,
    all_namespaces: Annotated[
        bool, typer.Option("-A", "--all-namespaces", help="Look at all namespaces, or fail.")
    ] = False,
    config: Config = None,
    pairing_rules: PairingRules = None,
    enmasse_namespace: EnMasseNamespace = None,
    output: Output = "text",
) -> None:
    """Explain what is a pair, and why or why not.

    Prints for every AddressSpace and Syndesis what the operator would do, why, and what would change that. Reads
    AddressSpaces, Syndesis and Integrations, and AuthenticationServices if you may; never Secrets.
    """
    check_output(output)
    if filename and (integrations or kubeconfig or context or namespace or all_namespaces):
        fail("--filename explains files instead of a cluster: leave the flags of a cluster out", WRONG_INPUT)
    for name in filter(None, (*(namespace or ()), enmasse_namespace)):
        if not re.fullmatch(DNS_LABEL, name):
            fail(f"--namespace: {name!r} is not the name of a namespace", WRONG_INPUT)
    if namespace and all_namespaces:
        fail("--namespace and --all-namespaces exclude each other", WRONG_INPUT)
    with one_line():
        settings = load(
            {
                "kubeconfig": kubeconfig,
                "context": context,
                "pairing_rules": pairing_rules,
                "enmasse_namespace": enmasse_namespace,
            },
            config,
        )
        if filename:
            reading, explained = None, _from_files(filename, settings)
        else:
            wanted = Wanted(tuple(integrations or ()), tuple(namespace or ()), all_namespaces)
            reading, explained = asyncio.run(_from_cluster(settings, wanted))
    if reading is not None:
        _print_scope(reading, to_stderr=output == "json")
    if output == "json":
        echo(json.dumps([_as_json(e) for e in explained], indent=2) + "\n")
    else:
        for explanation in explained:
            _print(explanation)
    if not any(e.paired for e in explained):
        fail(
            "there is no pair" if any(e.rules for e in explained) else "there are no AddressSpaces, or no Syndesis",
            NO_PAIR,
        )


def _from_files(files: list[Path], settings: Settings) -> list[Explanation]:
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.controllers.integration.offline import cache_of_documents, read
    from integration_operator.rendering.templates import TemplateFiles

    plan_settings = replace(settings.plan_settings, enable_new=True)
    dry_run = DryRun(cache_of_documents(read(files)), plan_settings)
    return explanations(dry_run, settings.pairing_rules, TemplateFiles(settings.templates))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a user asked for. ``names`` are NAME or NAMESPACE/NAME of Integrations; without any, all pairs."""

    names: tuple[str, ...]
    namespaces: tuple[str, ...]
    everywhere: bool

    def chosen(self, explained: list[Explanation], default: str) -> list[Explanation]:
        """Return the explanations of the named Integrations; end the command if one does not exist."""
        if not self.names:
            return explained
        by_ref = {integration.ref: e for e in explained for integration in e.integrations}
        refs = [ref_of(name, next(iter(self.namespaces), default)) for name in self.names]
        if missing := [ref for ref in refs if ref not in by_ref]:
            fail_missing(missing[0])
        return [by_ref[ref] for ref in dict.fromkeys(refs)]


async def _from_cluster(settings: Settings, wanted: Wanted) -> tuple[Reading, list[Explanation]]:
    from integration_operator import resources
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.controllers.integration.offline import cache_of_documents
    from integration_operator.rendering.templates import TemplateFiles

    async with connected(settings.kubeconfig, settings.context) as client:
        reading = await read(
            client,
            (resources.ADDRESS_SPACE, resources.SYNDESIS, resources.INTEGRATION),
            (resources.AUTHENTICATION_SERVICE, resources.NAMESPACE, resources.CRD),
            namespaces=wanted.namespaces,
            everywhere=wanted.everywhere,
            enmasse_namespace=settings.enmasse_namespace,
        )
    documents = itertools.chain.from_iterable(reading.documents.values())
    cache = cache_of_documents(documents, served=reading.served, enmasse_namespace=settings.enmasse_namespace)
    share = settings.mass_delete_share if reading.namespaces is None else 1.0  # a part never shows all there is
    dry_run = DryRun(cache, settings.plan_settings, share=share)
    explained = explanations(dry_run, settings.pairing_rules, TemplateFiles(settings.templates), reading)
    return reading, wanted.chosen(explained, client.namespace)


def _print_scope(reading: Reading, *, to_stderr: bool) -> None:
    """Print what was read, and what was not."""
    refused = [f"{kind} ({why})" for kind, why in reading.unread.items()]
    absent = [name for name in ("AddressSpace", "Syndesis", "Integration") if reading.served.get(name) is None]
    lines = [f"Read: {reading.scope}", f"Not read: {', '.join([*NOT_READ, *refused])}"]
    lines += [f"Not served by the cluster: {', '.join(absent)}"] if absent else []
    for line in lines:
        if to_stderr:
            typer.echo(sanitized(line), err=True)
        else:
            say(line)


def _print(explanation: Explanation) -> None:
    pair, outcome = explanation.pair, explanation.outcome
    if pair is None:
        say(f"Integration {explanation.integrations[0].ref}: no pair")
    elif explanation.rules:
        paired = "a pair" if explanation.paired else "no pair"
        say(f"AddressSpace {pair.space} × {pair.kind} {pair.consumer}: {paired}")
    else:
        named = "names it" if pair.is_binding else "named by an Integration"
        say(f"AddressSpace {pair.space} × {pair.kind} {pair.consumer}: {named}")
    for rule, check in explanation.rules:
        say(f"{'✓' if check else '✗'} {rule}: {check.reason}: {check.message}", indent=2)
    for ready in (explanation.space, explanation.syndesis) if explanation.paired else ():
        if ready is None:  # of a Syndesis that a binding does not have
            continue
        say(f"{'✓' if ready else '✗'} {': '.join(filter(None, (ready.reason, ready.message)))}", indent=2)
    if outcome is not None:
        say(f"→ {': '.join(filter(None, (outcome.text, outcome.reason, outcome.message)))}", indent=2)
    for number, integration in enumerate(explanation.integrations if pair is not None else ()):
        say(f"Integration {_shown(integration)}{': a duplicate of the first, not used' if number else ''}", indent=2)
        if summary := integration.summary:
            say("{type}={status}: {reason}: {message}".format_map(summary), indent=4)


SHOWN = ("type", "status", "reason", "message")
"""The keys of a condition that are printed."""


def _shown(integration: Integration) -> str:
    return f"{integration.ref} {'enabled' if integration.enabled else 'disabled'}"


def _as_json(explanation: Explanation) -> dict[str, object]:
    def plain(check: Check | None) -> dict[str, object] | None:
        if check is None:
            return None
        return {"allowed": check.passed, "reason": check.reason, "message": check.message}

    pair, outcome = explanation.pair, explanation.outcome
    return {
        "addressSpace": pair.space._asdict() if pair else None,
        "syndesis": pair.syndesis._asdict() if pair and not pair.is_binding else None,
        "consumer": {"kind": pair.kind, **pair.consumer._asdict()} if pair else None,
        "paired": explanation.paired,
        "rules": [{"rule": rule, **(plain(check) or {})} for rule, check in explanation.rules],
        "addressSpaceReady": plain(explanation.space),
        "syndesisReady": plain(explanation.syndesis),
        "plan": {"step": outcome.step, "reason": outcome.reason, "message": outcome.message} if outcome else None,
        "integrations": [_shown(integration) for integration in explanation.integrations],
        "ready": [
            {"integration": str(integration.ref), **{key: summary.get(key) for key in SHOWN}}
            for integration in explanation.integrations
            if (summary := integration.summary)
        ],
    }
