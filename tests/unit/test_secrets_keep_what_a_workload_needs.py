"""A Secret keeps its entries while the AddressSpace shows no way to the broker, and is written only if it must be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integration_operator.domain.model.actions import Apply
from integration_operator.domain.model.credential import encode
from integration_operator.domain.model.facts import Facts
from integration_operator.domain.plan.plan import plan_pair
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.live_object import Digest
from integration_operator_sandbox.platforms.enmasse import CERTIFICATE
from tests.support.builders import integration, space, syndesis
from tests.support.changed_facts import changed_facts
from tests.support.dry_runs import dry_run

TEMPLATES = TemplateFiles()
CHAIN = CERTIFICATE * 4


def settled(**without: Any) -> Facts:
    """Return the facts of a delivered pair whose AddressSpace has a long CA, and then lacks some of its facts."""
    document = space()
    document["status"]["caCert"] = encode(CHAIN)
    snapshot = dry_run([document, syndesis(), integration(enabled=True)], ("same-namespace",))
    (pair,) = snapshot.pairs()
    snapshot.settle(pair, TEMPLATES)
    facts = snapshot.facts(pair)
    assert facts.space is not None
    return replace(facts, space=replace(facts.space, **without))


def secrets(facts: Facts) -> list[dict[str, Any]]:
    """Return the data of the Secrets that a plan applies."""
    actions = plan_pair(facts, TEMPLATES).actions
    return [action.document["data"] for action in actions if isinstance(action, Apply) and action.kind == "Secret"]


def edited(facts: Facts) -> Facts:
    """Return the facts after a user has changed the user name in the Secret."""
    secret = facts.children.secret
    assert secret is not None
    data = {**secret.document["data"], "username": encode("mine")}
    return changed_facts(facts, secret=replace(secret, document={**secret.document, "data": data}))


def test_nothing_is_written_because_facts_are_missing() -> None:
    assert secrets(settled()) == []
    assert secrets(settled(endpoint=None)) == []
    assert secrets(settled(endpoint=None, certificate=None)) == []
    assert secrets(settled(certificate=None)) == []


def test_a_repair_keeps_what_is_known() -> None:
    (repaired,) = secrets(edited(settled(endpoint=None)))
    assert repaired["certificates"] == encode(CHAIN), "the AddressSpace still shows it"
    assert repaired["uri"] == encode("amqps://messaging.svc:5671")
    (repaired,) = secrets(edited(settled(endpoint=None, certificate=None)))
    assert "certificates" not in repaired, "only its digest is known"
    assert repaired["host"] == encode("messaging.svc")
    assert not any(isinstance(value, Digest) for value in repaired.values())
