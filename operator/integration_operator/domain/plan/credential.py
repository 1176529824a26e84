"""The step of the credential: in the Secret before any other system sees it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Apply, apply_if_changed
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.credential import Credential, encode, surviving_credential
from integration_operator.domain.model.facts import DeliverablePair
from integration_operator.domain.model.rotation import RotationRecord
from integration_operator.domain.plan.manifests import TemplateRefused, Templates, transport_variables
from integration_operator.domain.plan.steps import (
    CredentialPlan,
    check_name,
    identity_in_consumer_namespace,
    transport_of,
    variables,
)
from integration_operator.domain.policies.provided_credential import provided_credential
from integration_operator.domain.policies.readiness import Transport
from integration_operator.domain.policies.rotation import requested
from integration_operator.runtime.live_object import Digest, LiveObject


def plan_credential(pair: DeliverablePair, user_delivery: str, serving: Check, templates: Templates) -> CredentialPlan:
    """Plan the credential. ``serving`` says whether the AddressSpace can serve a new login."""
    reference = pair.integration.spec.credentials_secret_ref
    if reference is None:
        return _plan_generated(pair, serving, templates)
    credential = provided_credential(pair, reference, user_delivery)
    if isinstance(credential, Check):
        return CredentialPlan(credential)
    if pair.children.user is None and not serving:
        return CredentialPlan(serving)
    message = f"Credential provided in Secret {pair.integration.ref.namespace}/{reference.name}"
    return CredentialPlan(Check.success("Provided", message), credential=credential)


def _plan_generated(pair: DeliverablePair, serving: Check, templates: Templates) -> CredentialPlan:
    """Plan the pair's own Secret; a new password is used only if no copy of the pair's password is left."""
    if not (name := check_name(pair, "Secret")):
        return CredentialPlan(name)
    secret, username = pair.children.secret, pair.facts.login.username
    if secret is not None and secret.deleting:
        return CredentialPlan(Check.failure("Waiting", f"Secret {secret.ref} is being deleted"))
    surviving = surviving_credential(secret, pair.children.user, username)
    if surviving is None and not serving:
        return CredentialPlan(serving)
    credential, record = surviving, pair.facts.login.rotation
    if credential is None:  # a new credential is what earlier requests asked for
        credential = Credential(username, pair.facts.login.new_password)
        record = replace(record, request=requested(pair.integration))
    try:
        document = secret_document(pair, credential, record, templates)
    except TemplateRefused as error:
        return CredentialPlan(Check.failure("TemplateRefused", str(error)), credential=credential)
    inherited = naming.space_of_proof_of_concept(username) is not None
    replaced = "; the proof of concept kept no password, so it is a new one" if inherited else ""
    return CredentialPlan(
        Check.success("Stored", f"Credential stored in Secret {naming.secret_name(pair.pair)}{replaced}"),
        write_secret(secret, document, first=surviving is None),
        credential,
    )


def write_secret(secret: LiveObject | None, document: dict[str, Any], *, first: bool = False) -> tuple[Apply, ...]:
    """Return the write of the pair's own Secret, which must not overwrite a version that the plan has not seen."""
    actions = apply_if_changed("Secret", secret, document, first=first)
    return tuple(replace(action, document=_without_digests(document), only_if=secret) for action in actions)


def _without_digests(document: dict[str, Any]) -> dict[str, Any]:
    data = {key: value for key, value in document["data"].items() if not isinstance(value, Digest)}
    return {**document, "data": data}


def secret_document(
    pair: DeliverablePair, credential: Credential, record: RotationRecord, templates: Templates
) -> dict[str, Any]:
    """Return the pair's own Secret with a credential and the record of its rotation. Raises ``TemplateRefused``."""
    identity = identity_in_consumer_namespace(pair, "v1", "Secret", naming.secret_ref(pair.pair))
    transport = transport_of(pair)
    known = transport if isinstance(transport, Transport) else None
    of_transport = transport_variables(known)
    document = templates.render("secret", identity, {**variables(pair, credential=credential), **of_transport})
    former = _entries_of_transport(pair) if known is None else {}
    return {**document, "data": {**former, **(document.get("data") or {}), **record.data()}}


def _entries_of_transport(pair: DeliverablePair) -> dict[str, str]:
    """Return the entries of the Secret that stay while the AddressSpace shows no way to the broker.

    Losing readiness takes nothing from a workload. Of a long value only a digest is known, unless it is the CA that the
    AddressSpace shows; it stays in the Secret until that must be written for another reason.
    """
    secret, certificate = pair.children.secret, encode(pair.space.certificate or "")
    data = (secret.document.get("data") or {}) if secret is not None else {}
    return {
        key: certificate if isinstance(value, Digest) and value.stands_for(certificate) else value
        for key, value in data.items()
        if key not in names.RECORD_KEYS and secret is not None and secret.owns("data", key)
    }
