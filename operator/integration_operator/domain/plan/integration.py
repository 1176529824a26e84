"""The Integration itself: how it is offered, and what the operator keeps of one that exists.

``spec.enabled`` is set once, at creation, and is the user's afterwards. What a user wrote is theirs: of an offered
Integration the operator keeps the fields that no other manager has taken over; in a user's own it fills in what they
left out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Action, Apply, Delete, apply_if_changed
from integration_operator.domain.model.facts import Facts
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.platforms import AddressSpace, Syndesis
from integration_operator.domain.plan import manifests
from integration_operator.domain.plan.manifests import Identity, Templates
from integration_operator.domain.policies.ownership import is_retained
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref

Document = dict[str, Any]


def offer(facts: Facts, space: AddressSpace, syndesis: Syndesis, templates: Templates) -> Action:
    """Create the Integration.

    It is enabled if the administrator, the receiver, or the giver within its own namespace says so, unless a user
    deleted the offer before.
    """
    giver = space.enable_new and not facts.pair.crosses_namespaces
    policy = facts.settings.enable_new or syndesis.enable_new or giver
    enabled = policy and not facts.holds.offer_withdrawn and not _delivered_before(facts, space)
    variables = manifests.variables(facts.pair, space, syndesis, enabled=enabled)
    document = templates.render("integration", _identity(facts, space, syndesis), variables)
    return Apply("Integration", document, "the pair is offered")


def upkeep(facts: Facts, templates: Templates) -> tuple[Action, ...]:
    """Return the action that keeps what is ours of an existing Integration."""
    integration, space, syndesis = facts.integration, facts.space, facts.syndesis
    if integration is None or integration.live.deleting or space is None or syndesis is None:
        return ()
    if not integration.offered:
        return apply_if_changed("Integration", integration.live, _missing_fields(facts, integration))
    identity = replace(_identity(facts, space, syndesis), ref=integration.ref)
    variables = manifests.variables(facts.pair, space, syndesis, integration=integration)
    document = _without_fields_of_others(templates.render("integration", identity, variables), integration.live)
    return apply_if_changed("Integration", integration.live, document)


def offers_that_give_way(facts: Facts) -> tuple[Action, ...]:
    """Delete the unanswered offers for a pair for which a user has written an Integration."""
    used = facts.integration
    if used is None or used.untouched:
        return ()
    given_way = (other.live for other in facts.duplicates if other.untouched and not other.live.deleting)
    return tuple(Delete.of("Integration", live, f"Integration {used.ref} is used for this pair") for live in given_way)


def _identity(facts: Facts, space: AddressSpace, syndesis: Syndesis) -> Identity:
    owner = manifests.owner_of_integration(facts.pair, space, syndesis)
    ref = Ref(facts.pair.consumer.namespace, naming.integration_name(facts.pair))
    return manifests.identity(facts.pair, facts.cluster.api_versions["Integration"], "Integration", ref, (owner,))


def _delivered_before(facts: Facts, space: AddressSpace) -> bool:
    """Check if a user of this AddressSpace is left: then the Integration of a delivered pair was deleted."""
    user = facts.children.user
    if user is None or user.deleting or is_retained(user):
        return False
    return any(owner.get("uid") == space.uid for owner in user.owners)


def _without_fields_of_others(document: Document, live: LiveObject) -> Document:
    """Return the document without the fields of the spec that other managers have written."""
    written = live.document.get("spec") or {}
    spec = {key: value for key, value in document["spec"].items() if key not in written or live.owns("spec", key)}
    return {**document, "spec": spec}


def _missing_fields(facts: Facts, integration: Integration) -> Document:
    """Return the fields that a user's Integration lacks, and nothing else: no label, no owner."""
    written = integration.live.document.get("spec") or {}
    complete: Document = {
        "serviceProvider": "fuse",
        "integrationType": "amqp",
        "client": facts.pair.consumer.name,
        "addressSpaceRef": facts.pair.space._asdict(),
    }
    spec = {key: value for key, value in complete.items() if not written.get(key) or integration.live.owns("spec", key)}
    document: Document = {
        "apiVersion": integration.live.document["apiVersion"],
        "kind": "Integration",
        "metadata": {"name": integration.ref.name, "namespace": integration.ref.namespace},
    }
    return {**document, "spec": spec} if spec else document
