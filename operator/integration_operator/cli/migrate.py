"""``integration-operator migrate``: from REST to resources and back, shown before, and watched while it is done."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer

from integration_operator.api.integration import DeliveryChoice
from integration_operator.cli.cluster_flags import ENMASSE_NAMESPACE, Context, EnMasseNamespace, Kubeconfig
from integration_operator.cli.failure import NO_PAIR, UNFINISHED, WRONG_INPUT, fail, one_line
from integration_operator.cli.output import say
from integration_operator.cli.rules import ALL_DEFAULT_RULES, Rules, rules_of
from integration_operator.domain.actions import Action, Apply, Deliver, Finalize, LetGo, Remove, Withdraw
from integration_operator.domain.desired import Templates
from integration_operator.domain.integration import Integration
from integration_operator.domain.pair import Pair, Ref
from integration_operator.settings import Settings

if TYPE_CHECKING:
    from integration_operator.engine.snapshot import Snapshot
    from integration_operator.kube.client import Client
    from integration_operator.kube.kinds import Served

Target = Literal["native", "rest"]

DELIVERIES: dict[Target, dict[str, str]] = {
    "native": {"user": "native", "connection": "native"},
    "rest": {"user": "auto", "connection": "rest"},
}
"""What is asked of the two sides. A user stays a MessagingUser if there is such a kind: Keycloak is the last choice,
and a user's to make."""

POLL = 0.5
"""Seconds between two looks at an Integration that is being migrated."""


@dataclass(frozen=True, slots=True)
class Way:
    """How one Integration gets to its target: ``delivery`` for its spec, and why a side cannot be ``auto``."""

    delivery: dict[str, str]
    pinned: tuple[str, ...]


def migrate(
    integrations: Annotated[
        list[str] | None,
        typer.Argument(help="NAME or NAMESPACE/NAME of an Integration. Default: all that are enabled."),
    ] = None,
    to: Annotated[str, typer.Option("--to", help="native or rest")] = "native",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the steps and do nothing.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        str | None,
        typer.Option("-n", "--namespace", help="Namespace of the Integrations. Default: the context's for a NAME."),
    ] = None,
    templates: Annotated[Path | None, typer.Option(help="The operator's --templates, if it has any.")] = None,
    user_delivery: Annotated[
        str, typer.Option(help="The operator's --user-delivery, if no Integration shows it.")
    ] = "auto",
    connection_delivery: Annotated[
        str, typer.Option(help="The operator's --connection-delivery, if no Integration shows it.")
    ] = "auto",
    pairing_rules: Rules = ALL_DEFAULT_RULES,
    enmasse_namespace: EnMasseNamespace = ENMASSE_NAMESPACE,
    within: Annotated[float, typer.Option(help="Seconds to wait for each Integration.")] = 120.0,
) -> None:
    """Move Integrations between deliveries, with the same credential and the same connection.

    The running operator does the steps. If it is interrupted, it continues with the next one.
    """
    from integration_operator.rendering.templates import TemplateFiles

    if to not in ("native", "rest"):
        fail(f"--to must be native or rest (got {to})", WRONG_INPUT)
    target: Target = "native" if to == "native" else "rest"
    for side, given in (("user_delivery", user_delivery), ("connection_delivery", connection_delivery)):
        known = get_args(Settings.model_fields[side].annotation)
        if given not in known:
            fail(f"--{side.replace('_', '-')} must be one of {', '.join(known)} (got {given})", WRONG_INPUT)
    rules = rules_of(pairing_rules)
    with one_line():
        files = TemplateFiles(templates)
        files.check()
        asked = {"user": user_delivery, "connection": connection_delivery}
        asyncio.run(
            _migrate(
                integrations or [],
                target,
                dry_run,
                kubeconfig,
                context,
                namespace,
                asked,
                files,
                rules,
                enmasse_namespace,
                within,
            )
        )


async def _migrate(
    names: list[str],
    to: Target,
    dry_run: bool,
    kubeconfig: Path | None,
    context: str | None,
    namespace: str | None,
    asked: dict[str, str],
    templates: Templates,
    rules: tuple[str, ...],
    enmasse_namespace: str,
    within: float,
) -> None:
    from integration_operator.cli.reading import connected, read
    from integration_operator.engine.snapshot import Snapshot
    from integration_operator.kube import kinds

    async with connected(kubeconfig, context) as client:
        needed = (
            *(kinds.ADDRESS_SPACE, kinds.SYNDESIS, kinds.INTEGRATION),
            *(kinds.SECRET, kinds.MESSAGING_USER, kinds.CONNECTION),
        )
        optional = (kinds.AUTHENTICATION_SERVICE, kinds.NAMESPACE, kinds.CRD)
        reading = await read(client, needed, optional, enmasse_namespace=enmasse_namespace)
        documents = [document for found in reading.documents.values() for document in found]
        snapshot = Snapshot(
            documents, rules, enable_new=False, served=reading.served, enmasse_namespace=enmasse_namespace
        )
        known = list(snapshot.cluster.integrations)
        snapshot.gatherer.asked = {side: _setting(known, side) if it == "auto" else it for side, it in asked.items()}
        served = reading.served["Integration"]
        if served is None:
            fail("the cluster does not serve Integration: apply the CustomResourceDefinitions first", NO_PAIR)
        chosen = _chosen(list(snapshot.cluster.integrations), names, namespace, client.namespace)
        for integration in chosen:
            pair = snapshot.gatherer.key_of(integration)
            if not isinstance(pair, Pair):
                say(f"Integration {integration.ref} stands for no pair; run integration-operator explain to see why")
                continue
            if not (snapshot.cluster.from_config_maps or reading.saw(pair.space.namespace)):
                fail(f"{integration.ref}: you may not list AddressSpaces in namespace {pair.space.namespace}", NO_PAIR)
            say(f"{integration.ref}: to {to}")
            way = way_to(snapshot, integration, pair, to)
            for number, action in enumerate(steps(snapshot, integration, pair, way, templates), 1):
                say(f"{number}. {described(action)}", indent=2)
            for reason in way.pinned:
                say(reason, indent=2)
            if not dry_run:
                await _drive(client, served, integration, way, to, within)


def _setting(integrations: list[Integration], side: str) -> str:
    """Return the operator's setting of a side as the conditions of any Integration tell it, else ``auto``."""
    for integration in integrations:
        conditions = integration.status.get("conditions") or ()
        message = next((str(c.get("message")) for c in conditions if c.get("type") == "DeliveryChosen"), "")
        if found := re.search(rf"\b{side}: (\w+), because the setting asks for ", message):  # domain/choice.py
            return "native" if found[1] == "aggregated" else found[1]
    return "auto"


def _chosen(there: list[Integration], names: list[str], namespace: str | None, default: str) -> list[Integration]:
    """Return the enabled Integrations that are named, or all of them; end the command for a name that is none."""
    enabled = sorted((i for i in there if i.enabled), key=lambda i: i.ref)
    known = f"; enabled ones: {', '.join(str(i.ref) for i in enabled)}" if enabled else "; none is enabled"
    if not names:
        found = [i for i in enabled if namespace in (None, i.ref.namespace)]
        if not found:
            where = f" in namespace {namespace}" if namespace else ""
            fail(f"no enabled Integration{where}{known if enabled else ''}", NO_PAIR)
        return found
    by_ref = {i.ref: i for i in there}
    chosen = {}
    for name in names:
        left, slash, right = name.partition("/")
        ref = Ref(left, right) if slash else Ref(namespace or default, name)
        if ref not in by_ref:
            fail(f'no Integration "{ref.name}" in namespace {ref.namespace}{known}', NO_PAIR)
        if not by_ref[ref].enabled:
            fail(f"Integration {ref} is not enabled{known}", NO_PAIR)
        chosen[ref] = by_ref[ref]
    return [chosen[ref] for ref in sorted(chosen)]


def way_to(snapshot: Snapshot, integration: Integration, pair: Pair, to: Target) -> Way:
    """Return what spec.delivery has to say: ``auto`` for each side if that chooses the target, else the target."""
    from integration_operator.domain.choice import choose

    facts = snapshot.gatherer.facts(pair, snapshot.cluster.kinds())

    def chosen(delivery: dict[str, str]) -> Any:
        spec = integration.spec.model_copy(update={"delivery": DeliveryChoice.model_validate(delivery)})
        return choose(replace(facts, integration=replace(integration, spec=spec)))

    wanted, auto = chosen(DELIVERIES[to]), chosen({"user": "auto", "connection": "auto"})
    delivery, pinned = {}, []
    for side in ("user", "connection"):
        target = getattr(wanted, side)
        if getattr(auto, side) == target:
            delivery[side] = "auto"
            continue
        delivery[side] = DELIVERIES[to][side]
        pinned.append(
            f"spec.delivery.{side} stays {delivery[side]}: auto would choose {getattr(auto, side)}, because "
            f"{getattr(auto, f'{side}_reason')}"
        )
    return Way(delivery, tuple(pinned))


def steps(snapshot: Snapshot, integration: Integration, pair: Pair, way: Way, templates: Templates) -> list[Action]:
    """Return what the operator would do, decided by its own functions on what the cluster shows."""
    document = integration.live.document
    snapshot.merge("Integration", integration.ref, {"spec": {**document["spec"], "delivery": way.delivery}})
    actions, _ = snapshot.settle(pair, templates)
    noted = (integration.status.get("delivered") or {}).get("user") or {}
    always_native = noted.get("delivery") == "native"
    return [a for a in actions if not (always_native and isinstance(a, LetGo) and a.kind == "MessagingUser")]


def described(action: Action) -> str:
    """Return one step in plain words."""
    match action:
        case Apply():
            return f"apply {action.kind} {action.ref}: {action.why}"
        case Remove():
            return f"delete {action.kind} {action.ref}: {action.why}"
        case Deliver():
            return f"deliver {action.kind} {action.ref} by {action.how}: {action.why}"
        case Withdraw():
            return f"delete {action.kind} {action.ref} by {action.how}: {action.why}"
        case LetGo():
            return f"release {action.kind} {action.ref}: {action.why}"
        case Finalize():
            return (
                f"{'put' if action.present else 'take'} the finalizer {'on' if action.present else 'off'}: {action.why}"
            )


async def _drive(client: Client, served: Served, integration: Integration, way: Way, to: Target, within: float) -> None:
    """Ask for the delivery, and wait until the operator says that it is done."""
    from integration_operator.kube.errors import NotFound

    path = served.item(*integration.ref)
    asked = Integration.of(await client.patch(path, {"spec": {"delivery": way.delivery}}))
    said = ""
    try:
        async with asyncio.timeout(within):
            while True:
                try:
                    current = Integration.of(await client.get(path))
                except NotFound:
                    fail(f"Integration {integration.ref} was deleted meanwhile", NO_PAIR)
                connection = (current.status.get("delivered") or {}).get("connection") or {}
                now = f"connection {connection.get('delivery')} {connection.get('id', '')}: {_ready(current)}"
                if now != said:
                    say(f"… {now}", indent=2)
                    said = now
                if _done(current, connection, to, asked.generation):
                    say("done", indent=2)
                    return
                await asyncio.sleep(POLL)
    except TimeoutError:
        fail(f"{integration.ref}: not done within {within:.0f} s; last: {said}. Is the operator running?", UNFINISHED)


def _done(integration: Integration, connection: dict[str, Any], to: Target, generation: int) -> bool:
    current = (integration.status.get("observedGeneration") or 0) >= generation
    return current and connection.get("delivery") == to and _ready(integration).startswith("Ready")


def _ready(integration: Integration) -> str:
    conditions = integration.status.get("conditions") or ()
    ready: dict[str, Any] = next((c for c in conditions if c["type"] == "Ready"), {})
    return f"{ready.get('reason', '')}: {ready.get('message', '')}"
