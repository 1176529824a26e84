"""The Integration itself: how it is offered, and what the operator keeps of one that is there.

``spec.enabled`` is set once, at creation, and is the user's from then on. What a user wrote is theirs: of an offered
Integration the operator keeps the fields that no other manager took over, of a user's own it fills in what they left
out.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integration_operator.domain import desired, naming
from integration_operator.domain.actions import Action, Apply, wanted
from integration_operator.domain.desired import Identity, Templates
from integration_operator.domain.facts import Facts
from integration_operator.domain.integration import Integration
from integration_operator.domain.live import Live
from integration_operator.domain.pair import Ref

Document = dict[str, Any]


def offer(facts: Facts, templates: Templates) -> Action:
    """Create the Integration: enabled if the administrator, the receiver, or the giver within its own namespace say so,
    unless it was withdrawn before.
    """
    assert facts.space is not None
    assert facts.syndesis is not None
    giver = facts.space.enable_new and not facts.crosses_namespaces
    policy = facts.enable_new or facts.syndesis.enable_new or giver
    enabled = policy and not facts.withdrawn and not _delivered_before(facts)
    variables = desired.variables(facts.pair, facts.space, facts.syndesis, enabled=enabled)
    return Apply("Integration", templates.render("integration", _identity(facts), variables), "the pair is offered")


def upkeep(facts: Facts, templates: Templates) -> list[Action]:
    """Keep what is ours of an Integration that is there."""
    integration = facts.integration
    if integration is None or integration.live.deleting or facts.space is None or facts.syndesis is None:
        return []
    if not integration.offered:
        return wanted("Integration", integration.live, _left_out(facts, integration))
    identity = replace(_identity(facts), ref=integration.ref)
    variables = desired.variables(facts.pair, facts.space, facts.syndesis, integration=integration)
    document = _yielding(templates.render("integration", identity, variables), integration.live)
    return wanted("Integration", integration.live, document)


def _identity(facts: Facts) -> Identity:
    assert facts.space is not None
    assert facts.syndesis is not None
    owner = desired.owner_of_integration(facts.pair, facts.space, facts.syndesis)
    ref = Ref(facts.pair.syndesis.namespace, naming.integration_name(facts.pair))
    return desired.identity(facts.pair, facts.kinds.api_versions["Integration"], "Integration", ref, (owner,))


def _delivered_before(facts: Facts) -> bool:
    """Check if a user of this very AddressSpace is left: then the Integration of a delivered pair was deleted."""
    user, space = facts.user, facts.space
    if user is None or space is None or user.deleting or user.retained:
        return False
    return any(owner.get("uid") == space.uid for owner in user.owners)


def _yielding(document: Document, live: Live) -> Document:
    """Return the document without what other managers have written into the spec since."""
    written = live.document.get("spec") or {}
    spec = {key: value for key, value in document["spec"].items() if key not in written or live.owns("spec", key)}
    return {**document, "spec": spec}


def _left_out(facts: Facts, integration: Integration) -> Document:
    """Return the fields that a user's Integration lacks, and nothing else: no label, no owner."""
    written = integration.live.document.get("spec") or {}
    filled: Document = {
        "serviceProvider": "fuse",
        "integrationType": "amqp",
        "client": facts.pair.syndesis.name,
        "addressSpaceRef": facts.pair.space._asdict(),
    }
    spec = {key: value for key, value in filled.items() if not written.get(key) or integration.live.owns("spec", key)}
    document: Document = {
        "apiVersion": integration.live.document["apiVersion"],
        "kind": "Integration",
        "metadata": {"name": integration.ref.name, "namespace": integration.ref.namespace},
    }
    return {**document, "spec": spec} if spec else document
