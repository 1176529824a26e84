"""The step of the connection: one in Syndesis, under one id, by a Connection resource or over REST."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Action, Delete, Release, apply_if_changed
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.facts import DeliverablePair
from integration_operator.domain.model.platforms import Syndesis
from integration_operator.domain.plan.adoption import adopted_id, released_to_rest, specified_id, with_id
from integration_operator.domain.plan.manifests import TemplateRefused, Templates, transport_variables
from integration_operator.domain.plan.remote import ensure_remote
from integration_operator.domain.plan.steps import (
    StepPlan,
    blocked,
    check_name,
    check_served,
    identity_in_consumer_namespace,
    variables,
)
from integration_operator.domain.policies import readiness
from integration_operator.domain.policies.delivery_mode import ConnectionDelivery
from integration_operator.domain.policies.readiness import Transport
from integration_operator.runtime.live_object import LiveObject

Document = dict[str, Any]


def plan_connection(
    pair: DeliverablePair,
    syndesis: Syndesis,
    credential: Credential,
    delivery: ConnectionDelivery,
    transport: Transport | Check,
    templates: Templates,
    *,
    user_ready: bool,
) -> StepPlan:
    """Plan the connection. ``user_ready`` says whether its user can log in, so that Syndesis may verify it."""
    connection, remote = pair.children.connection, pair.remote.connection
    if connection is not None and connection.deleting and delivery == "native":
        return StepPlan(_ready(syndesis, connection))
    if isinstance(transport, Check):
        return StepPlan(transport)
    connecting = readiness.can_connect(syndesis)
    if connection is None and remote.absent and not connecting:
        return StepPlan(connecting)
    try:
        if delivery == "native":
            step = _plan_native(pair, syndesis, transport, templates)
        else:
            step = _plan_remote(pair, syndesis, credential, transport, templates, user_ready=user_ready)
    except TemplateRefused as error:
        return blocked("TemplateRefused", str(error))
    if step.check and not connecting:
        lost = Check.failure(connecting.reason, f"{connecting.message}; what was delivered stays")
        return replace(step, check=lost)
    return step


def _plan_native(pair: DeliverablePair, syndesis: Syndesis, transport: Transport, templates: Templates) -> StepPlan:
    """Plan a Connection resource. It carries the id of the connection over REST, if there is one.

    That connection is ours until the resource is Ready under its id: there are never two connections, and never none.
    """
    connection, remote = pair.children.connection, pair.remote.connection
    if not (served := check_served(pair, "Connection")):
        return StepPlan(served)
    if not (name := check_name(pair, "Connection")):
        return StepPlan(name)
    document = _render(pair, pair.cluster.api_versions["Connection"], transport, templates)
    identifier = specified_id(connection)
    if identifier is None and not remote.absent:
        identifier = remote.id or naming.connection_id(pair.pair)
    if identifier is not None:
        document = with_id(document, identifier)
    actions: tuple[Action, ...] = apply_if_changed("Connection", connection, document)
    if connection is None:
        return StepPlan(Check.failure("ConnectionPending", "The Connection is being created"), actions)
    ready = _ready(syndesis, connection)
    if ready and not remote.absent and adopted_id(connection) == identifier:
        actions += (Release("Connection", connection.ref, "its Connection is Ready under the same id"),)
    return StepPlan(ready, actions)


def _plan_remote(
    pair: DeliverablePair,
    syndesis: Syndesis,
    credential: Credential,
    transport: Transport,
    templates: Templates,
    *,
    user_ready: bool,
) -> StepPlan:
    """Plan a connection on Syndesis's server, and the release of the Connection resource that has it, if any."""
    connection, remote = pair.children.connection, pair.remote.connection
    api_version = pair.cluster.api_versions.get("Connection", names.CONNECTION_API_VERSION)
    document = _render(pair, api_version, transport, templates)
    resource = connection if connection is not None and not connection.deleting else None
    released: tuple[Action, ...] = ()
    if resource is not None:
        released = apply_if_changed("Connection", resource, released_to_rest(document, resource))
        remote = remote if remote.id else replace(remote, id=adopted_id(resource))
    confirmed, ensured = ensure_remote(
        pair,
        "Connection",
        "rest",
        document,
        credential,
        remote,
        platform=syndesis.uid,
        verify=user_ready,
        adopted_id=adopted_id(resource) if resource else None,
    )
    actions = (*released, *ensured)
    if not confirmed:
        pending = Check.failure("ConnectionPending", "The connection is being created on Syndesis's server")
        return StepPlan(pending, actions)
    if resource is not None:
        actions += (Delete.of("Connection", resource, "the connection is kept over REST now"),)
    return StepPlan(Check.success("ConnectionReady", f"Syndesis has it as {remote.id}"), actions)


def _ready(syndesis: Syndesis, connection: LiveObject) -> Check:
    return readiness.connection_ready(connection.document, reconciled=syndesis.native_connections)


def _render(pair: DeliverablePair, api_version: str, transport: Transport, templates: Templates) -> Document:
    ref = naming.connection_ref(pair.pair)
    identity = identity_in_consumer_namespace(pair, api_version, "Connection", ref)
    return templates.render("connection", identity, {**variables(pair), **transport_variables(transport)})
