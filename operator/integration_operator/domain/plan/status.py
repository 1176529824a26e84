"""The status of an Integration, built with its API model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from integration_operator.api.integration import (
    BoundSecret,
    Delivered,
    DeliveredConnection,
    DeliveredUser,
    IntegrationStatus,
    RotationStatus,
)
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.conditions import progress
from integration_operator.domain.model.credential import username_of
from integration_operator.domain.model.facts import Facts
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.remote_state import RemoteState
from integration_operator.domain.policies.readiness import Transport
from integration_operator.runtime.conditions import MAX_MESSAGE, Condition, condition_documents
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.text import sanitized

Document = dict[str, Any]

FIELDS = ("phase", "reason", "statusMessage", "observedGeneration", "delivered", "binding", "rotation")
"""The fields of the status that the operator writes, apart from ``conditions`` and ``metaData``."""

META_DATA = ("msgHost",)
"""The keys of ``metaData`` that the operator writes. It keeps what the proof of concept wrote beside them. The realm is
not among them: it is the giver's, and Integrations are the receiver's."""


def integration_status(
    integration: Integration,
    conditions: Sequence[Condition],
    delivered: Delivered,
    host: str | None,
    now: str,
    rotation: RotationStatus | None = None,
) -> Document:
    """Return the desired status as a document.

    ``conditions`` begins with their summary. ``host`` is the messaging endpoint's, if it is known. ``now`` is in
    RFC 3339.
    """
    before = integration.conditions
    left = any((delivered.user, delivered.second_user, delivered.connection))
    reported = (*conditions, *progress(conditions, something_left=left))
    documents = condition_documents(reported, before, generation=integration.generation, now=now)
    # An empty mapping is left out: server-side apply makes null of a mapping that loses all its fields.
    status = IntegrationStatus.model_validate(
        {
            "phase": _phase(integration, conditions),
            "reason": conditions[0].reason,
            "status_message": sanitized(conditions[0].message, MAX_MESSAGE),
            "observed_generation": integration.generation,
            "conditions": documents,
            "delivered": delivered if delivered != Delivered() else None,
            "binding": _binding(integration, conditions, delivered),
            "meta_data": {"msgHost": host} if host else None,
            "rotation": rotation if rotation != RotationStatus() else None,
        }
    )
    return status.model_dump(by_alias=True, exclude_none=True, mode="json")


def _binding(integration: Integration, conditions: Sequence[Condition], delivered: Delivered) -> BoundSecret | None:
    """Return the Secret that a workload can use; None if its user cannot log in, or the Secret is not the operator's.

    While nothing is reported of the credential or the user, such as in a suspended Integration, the Secret stays usable
    if it was.
    """
    if delivered.secret_name is None or integration.spec.credentials_secret_ref is not None:
        return None
    statuses = [c.status for c in conditions if c.type in ("CredentialsReady", "UserReady")]
    usable = statuses == ["True", "True"]
    unchanged = "False" not in statuses and integration.bound_secret == delivered.secret_name
    return BoundSecret(name=delivered.secret_name) if usable or unchanged else None


def status_changed(live: Document, desired: Document) -> bool:
    """Check if the fields that the operator writes differ between two statuses."""
    meta, desired_meta = live.get("metaData") or {}, desired.get("metaData") or {}
    if any(meta.get(key) != desired_meta.get(key) for key in META_DATA):
        return True
    if _by_type(live) != _by_type(desired):
        return True
    return any(live.get(key) != desired.get(key) for key in FIELDS)


def _by_type(status: Document) -> dict[str, Document]:
    """Return the conditions by their type. The API server chooses their order when it merges them."""
    return {condition["type"]: condition for condition in status.get("conditions") or ()}


def delivered_state(facts: Facts, transport: Transport | Check | None = None) -> Delivered:
    """Return what exists for a pair now."""
    integration, secret = facts.integration, facts.login.provided or facts.children.secret
    uri = None
    if isinstance(transport, Transport):
        uri = transport.server if facts.pair.is_binding else transport.uri
    known = uri or (integration.delivered_uri if integration else None)
    before = integration.space_source if integration else None
    return Delivered(
        user=_user(facts),
        second_user=_second_user(facts),
        connection=_connection(facts, known),
        secret_name=secret.ref.name if secret else None,
        uri=known if facts.pair.is_binding and secret else None,
        source=facts.cluster.source if facts.space and facts.pairing else before,
    )


def _user(facts: Facts) -> DeliveredUser | None:
    user, username = facts.children.user, facts.login.username
    remote = facts.remote.user_named(username)
    if not remote.present and user is not None:
        return _native_user(user)
    states = (remote, *facts.remote.users_except({username}))
    return next((_remote_user(state, username) for state in states if state.present), None)


def _second_user(facts: Facts) -> DeliveredUser | None:
    """Return the user beside the one that the connection has: the next one, or the one that it had before."""
    first = _user(facts)
    in_use = first.username if first is not None else facts.login.username
    following = facts.login.rotation.next
    usernames = set(facts.integration.delivered_usernames if facts.integration else ())
    usernames |= {following.username} if following else set()
    for remote in (facts.remote.user, facts.remote.second_user):
        if not remote.absent and remote.id is not None and remote.id != in_use:
            return _remote_user(remote, remote.id)
    others = map(_native_user, facts.children.other_users)
    return next((user for user in others if user.username in usernames - {in_use}), None)


def _remote_user(remote: RemoteState, username: str) -> DeliveredUser:
    return DeliveredUser(
        delivery=remote.delivery,
        username=remote.id or username,
        applied_hash=remote.applied,
        credentials_hash=remote.credentials,
        platform=remote.platform or None,
    )


def _native_user(user: LiveObject) -> DeliveredUser:
    namespace, name = user.ref
    return DeliveredUser(delivery="native", namespace=namespace, name=name, username=username_of(user))


def _connection(facts: Facts, uri: str | None) -> DeliveredConnection | None:
    connection, remote = facts.children.connection, facts.remote.connection
    if remote.present:
        return DeliveredConnection(
            delivery=remote.delivery,
            id=remote.id,
            uri=uri,
            applied_hash=remote.applied,
            credentials_hash=remote.credentials,
            platform=remote.platform or None,
            stored_hash=remote.stored or None,
        )
    if connection is None:
        return None
    identifier = (connection.document.get("status") or {}).get("connectionId")
    return DeliveredConnection(delivery="native", name=connection.ref.name, id=identifier or None, uri=uri)


def _phase(
    integration: Integration, conditions: Sequence[Condition]
) -> Literal["", "accepted", "integrating", "complete"]:
    """Return the proof of concept's word (its types.go): ``accepted``, ``integrating``, ``complete``, or empty."""
    if (conditions[0].type, conditions[0].status) == ("Ready", "True"):
        return "complete"
    if not any(c.type == "Paired" and c.status == "True" for c in conditions):
        return ""
    return "integrating" if integration.enabled else "accepted"
