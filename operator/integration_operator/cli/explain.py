"""``integration-operator explain``: for every AddressSpace × Syndesis and every Integration, what the operator would do
and why.

The answer comes from the operator's own functions. Secrets, MessagingUsers and Connections are not looked at, so it
ends at "deliver": how far a delivery is stands in the conditions of the Integration, which are printed.
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
from integration_operator.cli.cluster_flags import ENMASSE_NAMESPACE, Context, EnMasseNamespace, Kubeconfig
from integration_operator.cli.failure import NO_PAIR, WRONG_INPUT, fail, one_line
from integration_operator.cli.output import echo, say
from integration_operator.cli.rules import ALL_DEFAULT_RULES, Rules, rules_of
from integration_operator.domain import pairing, readiness
from integration_operator.domain.conditions import Finding
from integration_operator.domain.desired import Templates
from integration_operator.domain.integration import Integration
from integration_operator.domain.pair import Pair
from integration_operator.domain.platforms import AddressSpace
from integration_operator.domain.text import sanitized
from integration_operator.domain.verdict import Verdict
from integration_operator.settings import Settings

if TYPE_CHECKING:
    from integration_operator.cli.reading import Reading
    from integration_operator.engine.snapshot import Snapshot

NOT_LOOKED_AT = ("Secrets", "MessagingUsers", "Connections")

TEXTS = {
    "HOLD": "leave everything as it is",
    "REMOVE": "nothing is delivered",
    "WITHDRAW": "remove the offer, and what was delivered",
    "OFFER": "create the Integration",
    "DELIVER": "create or repair Secret, MessagingUser and Connection",
}
"""What each step of a decision means to a user."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What the operator would do for a pair: the step, and the reason if there is one."""

    step: str
    text: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one pair, or of one Integration that stands for none."""

    pair: Pair | None
    rules: Sequence[tuple[str, Verdict]] = ()
    space: Verdict | None = None
    syndesis: Verdict | None = None
    integrations: tuple[Integration, ...] = ()
    plan: Plan | None = None

    @property
    def paired(self) -> bool:
        """Whether the pair exists."""
        return bool(self.rules) and bool(self.rules[-1][1])

    @property
    def obstacles(self) -> list[Verdict]:
        """What stands in the way: every rule's no if there is no pair, else what is not ready."""
        asked = (self.space, self.syndesis) if self.paired else [verdict for _, verdict in self.rules]
        return [verdict for verdict in asked if verdict is not None and not verdict]


def explanations(snapshot: Snapshot, rules: Sequence[str], reading: Reading | None = None) -> list[Explanation]:
    """Explain every AddressSpace × Syndesis, then the Integrations that are for neither of them."""
    from integration_operator.rendering.templates import TemplateFiles

    cluster, templates = snapshot.cluster, TemplateFiles(None)
    found = []
    for space in sorted(cluster.spaces, key=lambda s: s.ref):
        for syndesis in sorted(cluster.syndesises, key=lambda s: s.ref):
            pair = Pair(space.ref, syndesis.ref)
            integrations = tuple(_integrations_of(snapshot, pair))
            explanation = Explanation(
                pair,
                [
                    (rule, _for_a_reader(space, pair, verdict))
                    for rule, verdict in pairing.verdicts(space, syndesis, rules)
                ],
                readiness.can_serve(space, cluster.authentication_type(space)),
                readiness.can_connect(syndesis),
                integrations,
            )
            if explanation.paired or integrations:  # else there is nothing to do
                explanation = replace(explanation, plan=_plan(snapshot, pair, templates))
            found.append(explanation)
    return [*found, *_of_integrations(snapshot, templates, {e.pair for e in found}, reading)]


def _for_a_reader(space: AddressSpace, pair: Pair, verdict: Verdict) -> Verdict:
    """Return a no with the command that mends it: who reads the AddressSpace may know what is in its annotation.

    The operator's condition must not tell that, because whoever writes an Integration reads it.
    """
    if verdict.reason != "NamespaceNotAllowed":
        return verdict
    wanted, there = pair.syndesis.namespace, space.allowed_namespaces
    message = f"AddressSpace {space.ref} does not allow namespace {wanted}; its owner must add it"
    if there.ignored:  # not all of the annotation is known
        return Verdict.deny(verdict.reason, f"{message} to {names.ALLOWED_NAMESPACES}, beside what is in it")
    value = f"{names.ALLOWED_NAMESPACES}='{there},{wanted}'" if there else f"{names.ALLOWED_NAMESPACES}={wanted}"
    command = f"kubectl annotate addressspace {space.ref.name} -n {space.ref.namespace} --overwrite {value}"
    return Verdict.deny(verdict.reason, f"{message}: {command}")


def _of_integrations(
    snapshot: Snapshot, templates: Templates, explained: set[Pair | None], reading: Reading | None
) -> Iterator[Explanation]:
    """Explain the Integrations whose pair is not complete."""
    for integration in sorted(snapshot.cluster.integrations, key=lambda i: i.ref):
        found = snapshot.gatherer.pair_of(integration)
        if isinstance(found, Pair):
            if found in explained:
                continue
            explained.add(found)
            unseen = reading is not None and not snapshot.cluster.from_config_maps
            if unseen and not reading.saw(found.space.namespace):  # type: ignore[union-attr]
                message = f"namespace {found.space.namespace} was not looked at; look there with -n or -A"
                plan = Plan("", "AddressSpace not looked at", "NotLookedAt", message)
            else:
                plan = _plan(snapshot, found, templates)
            yield Explanation(found, integrations=tuple(_integrations_of(snapshot, found)), plan=plan)
        elif integration.problem:
            yield Explanation(None, (), None, None, (integration,), _invalid(integration.problem))
        else:
            plan = Plan("HOLD", "stands for no pair", found.reason, found.message)
            yield Explanation(None, (), None, None, (integration,), plan)


def _invalid(problem: str) -> Plan:
    return Plan("HOLD", TEXTS["HOLD"], "InvalidSpec", problem)


def _integrations_of(snapshot: Snapshot, pair: Pair) -> list[Integration]:
    from integration_operator.domain.integration import first_of

    return first_of(snapshot.gatherer.integrations_of(pair))


def _plan(snapshot: Snapshot, pair: Pair, templates: Templates) -> Plan:
    """Return what the operator decides for a pair, as far as that does not depend on what is not looked at."""
    from integration_operator.domain.decisions import decide
    from integration_operator.domain.standing import Step, stand

    facts = snapshot.gatherer.facts(pair, snapshot.cluster.kinds())
    decision = decide(facts, templates)
    standing = stand(facts)
    finding: Finding | None = standing.finding
    if finding is None and decision.step is Step.HOLD and decision.findings:
        finding = decision.findings[0]
    step = decision.step.name
    return Plan(step, TEXTS[step], *((finding.reason, finding.message) if finding else ()))


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
    pairing_rules: Rules = ALL_DEFAULT_RULES,
    enmasse_namespace: EnMasseNamespace = ENMASSE_NAMESPACE,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json")] = "text",
) -> None:
    """Explain for every AddressSpace and Syndesis whether they are a pair and what the operator would do, and why.

    Reads AddressSpaces, Syndesis and Integrations, and AuthenticationServices if it may; never Secrets.
    """
    rules = rules_of(pairing_rules)
    if output not in ("text", "json"):
        fail(f"--output must be text or json (got {output})", WRONG_INPUT)
    if filename and (kubeconfig or context or namespace or all_namespaces):
        fail("--filename explains files instead of a cluster: leave the flags of a cluster out", WRONG_INPUT)
    for name in (*(namespace or ()), enmasse_namespace):
        if not re.fullmatch(DNS_LABEL, name):
            fail(f"--namespace: {name!r} is not the name of a namespace", WRONG_INPUT)
    if namespace and all_namespaces:
        fail("--namespace and --all-namespaces exclude each other", WRONG_INPUT)
    with one_line():
        if filename:
            reading, found = None, _from_files(filename, rules)
        else:
            work = _from_cluster(kubeconfig, context, namespace or [], all_namespaces, enmasse_namespace, rules)
            reading, found = asyncio.run(work)
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


def _from_files(files: list[Path], rules: tuple[str, ...]) -> list[Explanation]:
    from integration_operator.engine.snapshot import Snapshot, read

    return explanations(Snapshot(read(files), rules), rules)


async def _from_cluster(
    kubeconfig: Path | None,
    context: str | None,
    namespaces: list[str],
    everywhere: bool,
    enmasse_namespace: str,
    rules: tuple[str, ...],
) -> tuple[Reading, list[Explanation]]:
    from integration_operator.cli.reading import connected, read
    from integration_operator.engine.snapshot import Snapshot
    from integration_operator.kube import kinds

    async with connected(kubeconfig, context) as client:
        reading = await read(
            client,
            (kinds.ADDRESS_SPACE, kinds.SYNDESIS, kinds.INTEGRATION),
            (kinds.AUTHENTICATION_SERVICE, kinds.NAMESPACE, kinds.CRD),
            namespaces=namespaces,
            everywhere=everywhere,
            enmasse_namespace=enmasse_namespace,
        )
    documents = [document for found in reading.documents.values() for document in found]
    share = Settings.model_fields["mass_delete_share"].default
    share = share if reading.namespaces is None else 1.0  # a part of the cluster never shows all there is
    snapshot = Snapshot(
        documents,
        rules,
        enable_new=False,
        served=reading.served,
        share=share,
        enmasse_namespace=enmasse_namespace,
    )
    return reading, explanations(snapshot, rules, reading)


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
    pair, plan = explanation.pair, explanation.plan
    if pair is None:
        say(f"Integration {explanation.integrations[0].ref}: no pair")
    elif explanation.rules:
        say(f"AddressSpace {pair.space} × Syndesis {pair.syndesis}: {'a pair' if explanation.paired else 'no pair'}")
    else:
        say(f"AddressSpace {pair.space} × Syndesis {pair.syndesis}: named by an Integration")
    for rule, verdict in explanation.rules:
        say(f"{'✓' if verdict else '✗'} {rule}: {verdict.reason}: {verdict.message}", indent=2)
    for ready in (explanation.space, explanation.syndesis) if explanation.paired else ():
        assert ready is not None
        say(f"{'✓' if ready else '✗'} {': '.join(filter(None, (ready.reason, ready.message)))}", indent=2)
    if plan is not None:
        say(f"→ {': '.join(filter(None, (plan.text, plan.reason, plan.message)))}", indent=2)
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
    def plain(verdict: Verdict | None) -> dict[str, object] | None:
        if verdict is None:
            return None
        return {"allowed": verdict.allowed, "reason": verdict.reason, "message": verdict.message}

    pair, plan = explanation.pair, explanation.plan
    return {
        "addressSpace": pair.space._asdict() if pair else None,
        "syndesis": pair.syndesis._asdict() if pair else None,
        "paired": explanation.paired,
        "rules": [{"rule": rule, **(plain(verdict) or {})} for rule, verdict in explanation.rules],
        "addressSpaceReady": plain(explanation.space),
        "syndesisReady": plain(explanation.syndesis),
        "plan": {"step": plan.step, "reason": plan.reason, "message": plan.message} if plan else None,
        "integrations": [_shown(integration) for integration in explanation.integrations],
        "ready": [
            {"integration": str(integration.ref), **{key: ready.get(key) for key in ("status", "reason", "message")}}
            for integration in explanation.integrations
            if (ready := _ready(integration))
        ],
    }
