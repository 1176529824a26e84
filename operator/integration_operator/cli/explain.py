"""``integration-operator explain``: what the operator would do for each pair and each Integration, and why.

The answer is the operator's own plan. Secrets, MessagingUsers and Connections are not read, so that the plan ends at
"deliver": how far a delivery is, the conditions of the Integration say, which are printed.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from integration_operator.api import names
from integration_operator.api.model import DNS_LABEL
from integration_operator.cli.failure import NO_PAIR, WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import Config, Context, EnMasseNamespace, Kubeconfig, PairingRules
from integration_operator.cli.output import echo, say
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace
from integration_operator.domain.plan.manifests import Templates
from integration_operator.domain.policies import pairing, readiness
from integration_operator.runtime.text import sanitized
from integration_operator.settings import Settings, load

if TYPE_CHECKING:
    from integration_operator.cli.reading import Reading
    from integration_operator.controllers.integration.dry_run import DryRun

NOT_LOOKED_AT = ("Secrets", "MessagingUsers", "Connections")

STEPS = {
    "HOLD": "leave everything as it is",
    "REMOVE": "nothing is delivered",
    "WITHDRAW": "remove the offer, and what was delivered",
    "OFFER": "create the Integration",
    "DELIVER": "create or repair Secret, MessagingUser and Connection",
}
"""What each step of a plan means to a user."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the operator would do: the step of its plan, and the reason if there is one."""

    step: str
    text: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one pair, or of one Integration that has none."""

    pair: Pair | None
    rules: Sequence[tuple[str, Check]] = ()
    space: Check | None = None
    syndesis: Check | None = None
    integrations: tuple[Integration, ...] = ()
    outcome: Outcome | None = None

    @property
    def paired(self) -> bool:
        """True if the two are a pair."""
        return bool(self.rules) and bool(self.rules[-1][1])

    @property
    def obstacles(self) -> list[Check]:
        """The checks that failed: every rule's if there is no pair, else those of readiness."""
        asked = (self.space, self.syndesis) if self.paired else [check for _, check in self.rules]
        return [check for check in asked if check is not None and not check]


def explanations(dry_run: DryRun, rules: Sequence[str], reading: Reading | None = None) -> list[Explanation]:
    """Explain every AddressSpace × Syndesis, then the Integrations that are for neither of them."""
    from integration_operator.rendering.templates import TemplateFiles

    cluster, templates = dry_run.cache, TemplateFiles(None)
    found = []
    for space in sorted(cluster.spaces, key=lambda s: s.ref):
        for syndesis in sorted(cluster.syndesises, key=lambda s: s.ref):
            pair = Pair(space.ref, syndesis.ref)
            integrations = tuple(_integrations_of(dry_run, pair))
            explanation = Explanation(
                pair,
                [(rule, _for_a_reader(space, pair, check)) for rule, check in pairing.checks(space, syndesis, rules)],
                readiness.can_serve(space, cluster.authentication_type(space)),
                readiness.can_connect(syndesis),
                integrations,
            )
            if explanation.paired or integrations:  # else there is nothing to do
                explanation = replace(explanation, outcome=_outcome(dry_run, pair, templates))
            found.append(explanation)
    return [*found, *_of_integrations(dry_run, templates, {e.pair for e in found}, reading)]


def _for_a_reader(space: AddressSpace, pair: Pair, check: Check) -> Check:
    """Return a no with the command that mends it: who reads the AddressSpace may know what is in its annotation.

    The operator's condition must not tell that, because whoever writes an Integration reads it.
    """
    if check.reason != "NamespaceNotAllowed":
        return check
    wanted, there = pair.syndesis.namespace, space.allowed_namespaces
    message = f"AddressSpace {space.ref} does not allow namespace {wanted}; its owner must add it"
    if there.ignored:  # not all of the annotation is known
        return Check.failure(check.reason, f"{message} to {names.ALLOWED_NAMESPACES}, beside what is in it")
    value = f"{names.ALLOWED_NAMESPACES}='{there},{wanted}'" if there else f"{names.ALLOWED_NAMESPACES}={wanted}"
    command = f"kubectl annotate addressspace {space.ref.name} -n {space.ref.namespace} --overwrite {value}"
    return Check.failure(check.reason, f"{message}: {command}")


def _of_integrations(
    dry_run: DryRun, templates: Templates, explained: set[Pair | None], reading: Reading | None
) -> Iterator[Explanation]:
    """Explain the Integrations whose pair is not complete."""
    for integration in sorted(dry_run.cache.integrations, key=lambda i: i.ref):
        found = dry_run.gatherer.pair_of(integration)
        if isinstance(found, Pair):
            if found in explained:
                continue
            explained.add(found)
            unseen = reading is not None and not dry_run.cache.from_config_maps
            if unseen and not reading.saw(found.space.namespace):  # type: ignore[union-attr]
                message = f"namespace {found.space.namespace} was not looked at; look there with -n or -A"
                outcome = Outcome("", "AddressSpace not looked at", "NotLookedAt", message)
            else:
                outcome = _outcome(dry_run, found, templates)
            yield Explanation(found, integrations=tuple(_integrations_of(dry_run, found)), outcome=outcome)
        elif integration.problem:
            yield Explanation(None, (), None, None, (integration,), _invalid(integration.problem))
        else:
            outcome = Outcome("HOLD", "has no pair", found.reason, found.message)
            yield Explanation(None, (), None, None, (integration,), outcome)


def _invalid(problem: str) -> Outcome:
    return Outcome("HOLD", STEPS["HOLD"], "InvalidSpec", problem)


def _integrations_of(dry_run: DryRun, pair: Pair) -> list[Integration]:
    from integration_operator.domain.policies.integrations import rank

    return rank(dry_run.gatherer.integrations_of(pair))


def _outcome(dry_run: DryRun, pair: Pair, templates: Templates) -> Outcome:
    """Return what the operator plans for a pair, as far as that does not depend on what is not read."""
    from integration_operator.domain.plan.plan import Step

    plan = dry_run.plan(pair, templates)
    because = plan.because
    if because is None and plan.step is Step.HOLD and plan.conditions:
        because = plan.conditions[0]
    step = plan.step.name
    return Outcome(step, STEPS[step], *((because.reason, because.message) if because else ()))


def explain(
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
    output: Annotated[str, typer.Option("--output", "-o", help="text or json")] = "text",
) -> None:
    """Explain for every AddressSpace and Syndesis whether they are a pair and what the operator would do, and why.

    Reads AddressSpaces, Syndesis and Integrations, and AuthenticationServices if it may; never Secrets.
    """
    if output not in ("text", "json"):
        fail(f"--output must be text or json (got {output})", WRONG_INPUT)
    if filename and (kubeconfig or context or namespace or all_namespaces):
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
            reading, found = None, _from_files(filename, settings)
        else:
            reading, found = asyncio.run(_from_cluster(settings, namespace or [], all_namespaces))
    if reading is not None:
        _say_where(reading, to_stderr=output == "json")
    if output == "json":
        echo(json.dumps([_as_json(e) for e in found], indent=2) + "\n")
    else:
        for explanation in found:
            _print(explanation)
    if not any(e.paired for e in found):
        fail(
            "there is no pair" if any(e.rules for e in found) else "there are no AddressSpaces, or no Syndesis", NO_PAIR
        )


def _from_files(files: list[Path], settings: Settings) -> list[Explanation]:
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.controllers.integration.offline import cache_of_documents, read

    plan_settings = replace(settings.plan_settings, enable_new=True)
    return explanations(DryRun(cache_of_documents(read(files)), plan_settings), settings.pairing_rules)


async def _from_cluster(
    settings: Settings, namespaces: list[str], everywhere: bool
) -> tuple[Reading, list[Explanation]]:
    from integration_operator import resources
    from integration_operator.cli.reading import connected, read
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.controllers.integration.offline import cache_of_documents

    async with connected(settings.kubeconfig, settings.context) as client:
        reading = await read(
            client,
            (resources.ADDRESS_SPACE, resources.SYNDESIS, resources.INTEGRATION),
            (resources.AUTHENTICATION_SERVICE, resources.NAMESPACE, resources.CRD),
            namespaces=namespaces,
            everywhere=everywhere,
            enmasse_namespace=settings.enmasse_namespace,
        )
    documents = [document for found in reading.documents.values() for document in found]
    cache = cache_of_documents(documents, served=reading.served, enmasse_namespace=settings.enmasse_namespace)
    share = settings.mass_delete_share if reading.namespaces is None else 1.0  # a part never shows all there is
    dry_run = DryRun(cache, settings.plan_settings, share=share)
    return reading, explanations(dry_run, settings.pairing_rules, reading)


def _say_where(reading: Reading, *, to_stderr: bool) -> None:
    """Print what was looked at, and what was not."""
    refused = [f"{kind} ({why})" for kind, why in reading.unread.items()]
    absent = [name for name in ("AddressSpace", "Syndesis", "Integration") if reading.served.get(name) is None]
    lines = [f"Looked at: {reading.scope}", f"Not looked at: {', '.join([*NOT_LOOKED_AT, *refused])}"]
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
        say(f"AddressSpace {pair.space} × Syndesis {pair.syndesis}: {'a pair' if explanation.paired else 'no pair'}")
    else:
        say(f"AddressSpace {pair.space} × Syndesis {pair.syndesis}: named by an Integration")
    for rule, check in explanation.rules:
        say(f"{'✓' if check else '✗'} {rule}: {check.reason}: {check.message}", indent=2)
    for ready in (explanation.space, explanation.syndesis) if explanation.paired else ():
        assert ready is not None
        say(f"{'✓' if ready else '✗'} {': '.join(filter(None, (ready.reason, ready.message)))}", indent=2)
    if outcome is not None:
        say(f"→ {': '.join(filter(None, (outcome.text, outcome.reason, outcome.message)))}", indent=2)
    for number, integration in enumerate(explanation.integrations if pair is not None else ()):
        say(f"Integration {_shown(integration)}{': a duplicate of the first, not used' if number else ''}", indent=2)
        if said := _ready(integration):
            say(f"Ready={said['status']}: {said['reason']}: {said['message']}", indent=4)


def _shown(integration: Integration) -> str:
    return f"{integration.ref} {'enabled' if integration.enabled else 'disabled'}"


def _ready(integration: Integration) -> dict[str, Any]:
    """Return the condition Ready that the operator wrote last."""
    conditions = integration.status.get("conditions") or ()
    return next((c for c in conditions if c.get("type") == "Ready"), {})


def _as_json(explanation: Explanation) -> dict[str, object]:
    def plain(check: Check | None) -> dict[str, object] | None:
        if check is None:
            return None
        return {"allowed": check.passed, "reason": check.reason, "message": check.message}

    pair, outcome = explanation.pair, explanation.outcome
    return {
        "addressSpace": pair.space._asdict() if pair else None,
        "syndesis": pair.syndesis._asdict() if pair else None,
        "paired": explanation.paired,
        "rules": [{"rule": rule, **(plain(check) or {})} for rule, check in explanation.rules],
        "addressSpaceReady": plain(explanation.space),
        "syndesisReady": plain(explanation.syndesis),
        "plan": {"step": outcome.step, "reason": outcome.reason, "message": outcome.message} if outcome else None,
        "integrations": [_shown(integration) for integration in explanation.integrations],
        "ready": [
            {"integration": str(integration.ref), **{key: ready.get(key) for key in ("status", "reason", "message")}}
            for integration in explanation.integrations
            if (ready := _ready(integration))
        ],
    }
