"""``integration-operator migrate``: moves Integrations from REST to resources and back."""

from __future__ import annotations

import asyncio
import itertools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from integration_operator.api.integration import DeliveryChoice
from integration_operator.cli.actions import described
from integration_operator.cli.failure import NO_CLUSTER, NO_PAIR, WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import (
    Config,
    ConnectionDelivery,
    Context,
    EnMasseNamespace,
    Kubeconfig,
    PairingRules,
    UserDelivery,
)
from integration_operator.cli.flags import Templates as TemplatesFlag
from integration_operator.cli.following import described_summary, follow
from integration_operator.cli.output import say
from integration_operator.domain.model.actions import Action, Release
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.plan.manifests import Templates
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.settings import Settings, load

if TYPE_CHECKING:
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.runtime.client import Client
    from integration_operator.runtime.resources import APIResource

Target = Literal["native", "rest"]

DELIVERIES: dict[Target, dict[str, str]] = {
    "native": {"user": "native", "connection": "native"},
    "rest": {"user": "auto", "connection": "rest"},
}
"""``spec.delivery`` for each target. A user stays a MessagingUser if the kind is served: Keycloak is the last choice,
and a user makes it."""


@dataclass(frozen=True, slots=True)
class Way:
    """How an Integration gets to its target: ``delivery`` for its spec, and why a side cannot be ``auto``."""

    delivery: dict[str, str]
    pinned: tuple[str, ...]


def migrate(
    integrations: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="NAME or NAMESPACE/NAME of an Integration. Default: all that are enabled."),
    ] = None,
    to: Annotated[str, typer.Option("--to", help="native or rest")] = "native",
    plan_only: Annotated[bool, typer.Option("--dry-run", help="Show the steps and do nothing.")] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        str | None,
        typer.Option("-n", "--namespace", help="Namespace of the Integrations. Default: the context's for a NAME."),
    ] = None,
    config: Config = None,
    templates: TemplatesFlag = None,
    user_delivery: UserDelivery = None,
    connection_delivery: ConnectionDelivery = None,
    pairing_rules: PairingRules = None,
    enmasse_namespace: EnMasseNamespace = None,
    within: Annotated[float, typer.Option(help="Seconds to wait for each Integration.")] = 120.0,
) -> None:
    """Move Integrations between deliveries.

    Credential and connection stay the same. The running operator carries out the steps. If it is interrupted, it
    continues with the next one.
    """
    from integration_operator.rendering.templates import TemplateFiles

    if to not in ("native", "rest"):
        fail(f"--to must be native or rest (got {to})", WRONG_INPUT)
    target: Target = "native" if to == "native" else "rest"
    with one_line():
        settings = load(
            {
                "kubeconfig": kubeconfig,
                "context": context,
                "templates": templates,
                "user_delivery": user_delivery,
                "connection_delivery": connection_delivery,
                "pairing_rules": pairing_rules,
                "enmasse_namespace": enmasse_namespace,
            },
            config,
        )
        files = TemplateFiles(settings.templates)
        files.check()
        asyncio.run(_migrate(Request(integrations or [], namespace, target, plan_only, within), settings, files))


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asked for. ``names`` are NAME or NAMESPACE/NAME; ``within`` is in seconds."""

    names: list[str]
    namespace: str | None
    to: Target
    plan_only: bool
    within: float


async def _migrate(request: Request, settings: Settings, templates: Templates) -> None:
    from integration_operator import resources
    from integration_operator.cli.reading import NOT_SERVED, connected, read
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.controllers.integration.offline import cache_of_documents

    async with connected(settings.kubeconfig, settings.context) as client:
        needed = (
            *(resources.ADDRESS_SPACE, resources.SYNDESIS, resources.INTEGRATION),
            *(resources.SECRET, resources.MESSAGING_USER, resources.CONNECTION),
        )
        optional = (resources.AUTHENTICATION_SERVICE, resources.NAMESPACE, resources.CRD)
        reading = await read(client, needed, optional, enmasse_namespace=settings.enmasse_namespace)
        documents = itertools.chain.from_iterable(reading.documents.values())
        cache = cache_of_documents(documents, served=reading.served, enmasse_namespace=settings.enmasse_namespace)
        integrations = list(cache.integrations)
        dry_run = DryRun(cache, _plan_settings(settings, integrations))
        served = reading.served["Integration"]
        if served is None:
            fail(NOT_SERVED, NO_CLUSTER)
        for integration in _chosen(integrations, request.names, request.namespace, client.namespace):
            pair = dry_run.gatherer.key_of(integration)
            if not isinstance(pair, Pair):
                say(f"Integration {integration.ref} has no pair; run integration-operator explain to see why")
                continue
            if pair.is_binding:
                say(f"Integration {integration.ref} has no connection to migrate (spec.consumer: binding)")
                continue
            if not (cache.from_config_maps or reading.saw(pair.space.namespace)):
                where = f"namespace {pair.space.namespace}"
                fail(f"{integration.ref}: you may not list AddressSpaces in {where}", NO_CLUSTER)
            say(f"{integration.ref}: to {request.to}")
            way = way_to(dry_run, integration, pair, request.to)
            for number, action in enumerate(steps(dry_run, integration, pair, way, templates), 1):
                say(f"{number}. {described(action)}", indent=2)
            for reason in way.pinned:
                say(reason, indent=2)
            if not request.plan_only:
                await _drive(client, served, integration, way, request)


def _plan_settings(settings: Settings, integrations: list[Integration]) -> PlanSettings:
    """Return the settings of the running operator, as far as they are given or any Integration shows them."""
    plan_settings = settings.plan_settings
    if plan_settings.user_delivery == "auto":
        plan_settings = replace(plan_settings, user_delivery=_setting(integrations, "user"))
    if plan_settings.connection_delivery == "auto":
        plan_settings = replace(plan_settings, connection_delivery=_setting(integrations, "connection"))
    refused = any("KeycloakNotAllowed" in str(i.status.get("conditions")) for i in integrations)
    return replace(plan_settings, enable_new=False, allow_keycloak=not refused)


def _setting(integrations: list[Integration], side: str) -> str:
    """Return the operator's setting for a side, as the conditions of any Integration say, else ``auto``."""
    for integration in integrations:
        message = str(integration.condition("DeliveryChosen").get("message", ""))
        if match := re.search(rf"\b{side}: (\w+), because the setting asks for ", message):  # policies/delivery_mode.py
            return "native" if match[1] == "aggregated" else match[1]
    return "auto"


def _chosen(there: list[Integration], names: list[str], namespace: str | None, default: str) -> list[Integration]:
    """Return the enabled Integrations that are named, or all; end the command if a name does not exist."""
    from integration_operator.cli.reading import ref_of

    enabled = sorted((i for i in there if i.enabled), key=lambda i: i.ref)
    hint = f"; enabled ones: {', '.join(str(i.ref) for i in enabled)}" if enabled else "; none is enabled"
    if not names:
        in_scope = [i for i in enabled if namespace in (None, i.ref.namespace)]
        if not in_scope:
            where = f" in namespace {namespace}" if namespace else ""
            fail(f"no enabled Integration{where}{hint if enabled else ''}", NO_PAIR)
        return in_scope
    by_ref = {i.ref: i for i in there}
    chosen = {}
    for name in names:
        ref = ref_of(name, namespace or default)
        if ref not in by_ref:
            fail(f'no Integration "{ref.name}" in namespace {ref.namespace}{hint}', NO_PAIR)
        if not by_ref[ref].enabled:
            fail(f"Integration {ref} is not enabled{hint}", NO_PAIR)
        chosen[ref] = by_ref[ref]
    return [chosen[ref] for ref in sorted(chosen)]


def way_to(dry_run: DryRun, integration: Integration, pair: Pair, to: Target) -> Way:
    """Return ``spec.delivery`` for a target: ``auto`` for each side for which that chooses it, else the target."""
    from integration_operator.domain.policies.delivery_mode import delivery_mode

    facts = dry_run.facts(pair)

    def chosen(delivery: dict[str, str]) -> Any:
        spec = integration.spec.model_copy(update={"delivery": DeliveryChoice.model_validate(delivery)})
        return delivery_mode(replace(facts, integration=replace(integration, spec=spec)))

    desired, auto = chosen(DELIVERIES[to]), chosen({"user": "auto", "connection": "auto"})
    delivery, pinned = {}, []
    for side in ("user", "connection"):
        target = getattr(desired, side)
        if getattr(auto, side) == target:
            delivery[side] = "auto"
            continue
        delivery[side] = DELIVERIES[to][side]
        pinned.append(
            f"spec.delivery.{side} stays {delivery[side]}: auto would choose {getattr(auto, side)}, because "
            f"{getattr(auto, f'{side}_reason')}"
        )
    return Way(delivery, tuple(pinned))


def steps(dry_run: DryRun, integration: Integration, pair: Pair, way: Way, templates: Templates) -> list[Action]:
    """Return the actions that the operator would do, from its own plan."""
    document = integration.live.document
    dry_run.merge("Integration", integration.ref, {"spec": {**document["spec"], "delivery": way.delivery}})
    actions, _ = dry_run.settle(pair, templates)
    noted = (integration.status.get("delivered") or {}).get("user") or {}
    always_native = noted.get("delivery") == "native"
    return [a for a in actions if not (always_native and isinstance(a, Release) and a.kind == "MessagingUser")]


async def _drive(client: Client, served: APIResource, integration: Integration, way: Way, request: Request) -> None:
    """Write ``spec.delivery``, and wait until the operator reports that it is done."""
    path = served.item(*integration.ref)
    requested = parse_integration(await client.patch(path, {"spec": {"delivery": way.delivery}}))

    def look(current: Integration) -> tuple[str, bool]:
        connection = (current.status.get("delivered") or {}).get("connection") or {}
        ready = described_summary(current)
        observed = (current.status.get("observedGeneration") or 0) >= requested.generation
        done = observed and connection.get("delivery") == request.to and ready.startswith("Ready:")
        return f"connection {connection.get('delivery')} {connection.get('id', '')}: {ready}", done

    await follow(client, path, integration.ref, look, within=request.within)
