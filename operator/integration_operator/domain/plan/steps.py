"""What a step of a delivery returns, and what the steps share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from integration_operator.domain.model.actions import Action, ChildKind
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.facts import DeliverablePair
from integration_operator.domain.plan import manifests
from integration_operator.domain.plan.manifests import Identity
from integration_operator.domain.policies import readiness
from integration_operator.domain.policies.provided_credential import username_taken
from integration_operator.domain.policies.readiness import Transport
from integration_operator.runtime.ref import Ref

Document = dict[str, Any]

ALTERNATIVES = {
    "MessagingUser": "install EnMasse 0.22 or newer",
    "Connection": "install its CustomResourceDefinition, or set spec.delivery.connection to rest",
}
"""What a user can do if a kind is not served."""


@dataclass(frozen=True, slots=True)
class StepPlan:
    """How far a side is, and the actions that bring it further."""

    check: Check
    actions: tuple[Action, ...] = ()


@dataclass(frozen=True, slots=True)
class CredentialPlan:
    """The step of the credential; ``credential`` is None if there is none to use."""

    check: Check
    actions: tuple[Action, ...] = ()
    credential: Credential | None = None


def blocked(reason: str, message: str) -> StepPlan:
    """Return a step that cannot go on."""
    return StepPlan(Check.failure(reason, message))


def check_name(pair: DeliverablePair, kind: ChildKind) -> Check:
    """Check that no foreign object has the name that the pair needs for a kind."""
    foreign = pair.children.foreign_object(kind)
    if foreign is None:
        return Check.success("NameFree")
    if kind == "MessagingUser":
        return Check.failure("NameTaken", username_taken(pair, pair.facts.login.username))
    message = f"{kind} {foreign.ref} exists and is not this pair's ({foreign.why}); rename or delete it"
    return Check.failure("NameTaken", message)


def check_served(pair: DeliverablePair, kind: Literal["MessagingUser", "Connection"]) -> Check:
    """Check that the cluster serves a kind."""
    if kind in pair.cluster.api_versions:
        return Check.success("Served")
    return Check.failure(f"{kind}NotServed", f"The cluster does not serve {kind}; {ALTERNATIVES[kind]}")


def identity_in_consumer_namespace(pair: DeliverablePair, api_version: str, kind: ChildKind, ref: Ref) -> Identity:
    """Return the identity of a Secret or Connection."""
    owners = manifests.owners_in_consumer_namespace(pair.integration, retain=pair.retain)
    return manifests.identity(pair.pair, api_version, kind, ref, owners, retain=pair.retain)


def variables(pair: DeliverablePair, *, credential: Credential | None = None) -> Document:
    """Return the variables that a template gets."""
    return manifests.variables(
        pair.pair, pair.space, pair.syndesis, integration=pair.integration, credential=credential
    )


def transport_of(pair: DeliverablePair) -> Transport | Check:
    """Return the way to the broker, or a failed check that says which fact is missing."""
    return readiness.transport(pair.space, pair.integration.spec.tls or "auto", was_secure=_was_secure(pair))


def _was_secure(pair: DeliverablePair) -> bool:
    """Check if the connection was delivered over TLS: the status says so, or the Connection."""
    connection = pair.children.connection
    spec = (connection.document.get("spec") or {}) if connection else {}
    uris = ((spec.get("configuredProperties") or {}).get("connectionUri"), pair.integration.delivered_uri)
    return any(str(uri or "").startswith("amqps:") for uri in uris)
