"""The step of the user: a login in EnMasse, with no more rights than the giver allows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Action, Delete, Release, apply_if_changed
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.facts import DeliverablePair
from integration_operator.domain.model.remote_state import RemoteDelivery, RemoteState
from integration_operator.domain.plan import manifests
from integration_operator.domain.plan.manifests import Identity, TemplateRefused, Templates
from integration_operator.domain.plan.remote import delete_remote_user, ensure_remote
from integration_operator.domain.plan.steps import StepPlan, blocked, check_name, check_served, variables
from integration_operator.domain.policies import authorization, readiness
from integration_operator.domain.policies.delivery_mode import UserDelivery
from integration_operator.runtime.live_object import LiveObject

CONNECTION_REASONS = frozenset({"NoPort", "NoTLSPort", "TLSNotAvailable"})
"""Reasons that the condition ConnectionReady has: they say nothing of the login. A binding has no other condition."""

LATEST_USER_VERSION = "user.enmasse.io/v1beta1"
"""The version of a MessagingUser that is rendered and not applied, if the cluster serves none."""


def plan_user(
    pair: DeliverablePair, credential: Credential, delivery: UserDelivery, serving: Check, templates: Templates
) -> StepPlan:
    """Plan the user. ``serving`` says whether the AddressSpace can serve a new login."""
    if not (allowed := authorization.may_ask(pair)):
        return StepPlan(allowed, tuple(_close_logins_that_exceed(pair)))
    exists = pair.children.user is not None or _remote(pair).present
    if not exists and not serving:
        return StepPlan(serving)
    if not exists and pair.syndesis is not None and not (connecting := readiness.can_connect(pair.syndesis)):
        return StepPlan(connecting)  # nothing would use the login
    try:
        if delivery == "native":
            step = _plan_native(pair, pair.children.user, credential, templates)
        else:
            step = _plan_remote(pair, credential, delivery, templates)
    except TemplateRefused as error:
        return blocked("TemplateRefused", str(error))
    of_connection = pair.syndesis is not None and serving.reason in CONNECTION_REASONS
    if step.check and not serving and not of_connection:
        lost = Check.failure(serving.reason, f"{serving.message}; what was delivered stays")
        return replace(step, check=lost)
    return step


def plan_next_user(
    pair: DeliverablePair, credential: Credential, delivery: UserDelivery, templates: Templates
) -> StepPlan:
    """Plan the user that a rotation prepares beside the one in use. Raises ``TemplateRefused``."""
    if delivery != "native":
        return _ensure(pair, credential, delivery, templates)
    if (taken := pair.facts.login.next_taken) is not None:
        return blocked("NameTaken", f"MessagingUser {taken.ref} is not this pair's ({taken.why}); rename or delete it")
    ref = naming.user_ref(pair.pair, credential.username)
    user = next((user for user in pair.children.other_users if user.ref == ref), None)
    return _plan_native(pair, user, credential, templates)


def _plan_native(
    pair: DeliverablePair, user: LiveObject | None, credential: Credential, templates: Templates
) -> StepPlan:
    """Plan a MessagingUser. One that EnMasse made of our own user over REST is adopted."""
    if not (served := check_served(pair, "MessagingUser")):
        return StepPlan(served)
    if not (name := check_name(pair, "MessagingUser")):
        return StepPlan(name)
    if user is not None and user.deleting:
        return StepPlan(readiness.user_ready(user.document))
    document = user_document(pair, credential, templates)
    actions: tuple[Action, ...] = apply_if_changed("MessagingUser", user, document)
    if user is None:
        return StepPlan(Check.failure("UserPending", "The MessagingUser is being created"), actions)
    ready = readiness.user_ready(user.document)
    if ready and not pair.remote.user_named(credential.username).absent:
        why = "EnMasse reconciles it natively now"
        actions += (Release("MessagingUser", user.ref, why, username=credential.username),)
    return StepPlan(ready, actions)


def _plan_remote(
    pair: DeliverablePair, credential: Credential, delivery: RemoteDelivery, templates: Templates
) -> StepPlan:
    """Plan a user without a MessagingUser that could be watched."""
    user = pair.children.user
    if user is None:
        return _ensure(pair, credential, delivery, templates)
    if credential.username in naming.usernames(pair.pair):
        return StepPlan(readiness.user_ready(user.document))  # until a rotation has replaced it (plan/rotation.py)
    return blocked(
        "DeliveryPending",
        f"MessagingUser {user.ref} stays until your Secret has another user name: EnMasse deletes the login of that "
        f"name together with it, so {delivery} cannot create it beside it",
    )


def _ensure(pair: DeliverablePair, credential: Credential, delivery: RemoteDelivery, templates: Templates) -> StepPlan:
    """Plan a login over REST."""
    document = user_document(pair, credential, templates)
    remote, platform = pair.remote.user_named(credential.username), pair.space.uid
    confirmed, actions = ensure_remote(pair, "MessagingUser", delivery, document, credential, remote, platform=platform)
    if confirmed:
        check = Check.success("UserReady", f"User {credential.username!r} created by {delivery}")
    else:
        check = Check.failure("UserPending", f"User {credential.username!r} is being created by {delivery}")
    return StepPlan(check, actions)


def user_document(pair: DeliverablePair, credential: Credential, templates: Templates) -> dict[str, Any]:
    """Return the MessagingUser of a login, also if the cluster does not serve the kind. Raises ``TemplateRefused``."""
    api_version = pair.cluster.api_versions.get("MessagingUser", LATEST_USER_VERSION)
    identity = _identity(pair, api_version, credential)
    return templates.render("messaginguser", identity, variables(pair, credential=credential))


def _close_logins_that_exceed(pair: DeliverablePair) -> Iterator[Action]:
    """Delete a login that has more rights than the giver allows. Over REST the rights are unknown."""
    allowed = ", ".join(sorted(pair.space.allowed_operations)) or "nothing"
    for user in (pair.children.user, *pair.children.other_users):
        if user is not None and not user.deleting and authorization.exceeds(user, pair.space):
            yield Delete.of("MessagingUser", user, f"the giver allows only {allowed}")
    for remote in (pair.remote.user, pair.remote.second_user):
        if not remote.absent and remote.delivery is not None:
            username = remote.id or pair.facts.login.username
            why = "its rights may exceed what the giver allows"
            yield delete_remote_user(pair.facts, remote, remote.delivery, username, why, pair.space)


def _remote(pair: DeliverablePair) -> RemoteState:
    """Return the state over REST of the user in use."""
    return pair.remote.user_named(pair.facts.login.username)


def _identity(pair: DeliverablePair, api_version: str, credential: Credential) -> Identity:
    ref = naming.user_ref(pair.pair, credential.username)
    owners = manifests.owners_of_user(pair.space)
    return manifests.identity(pair.pair, api_version, "MessagingUser", ref, owners, retain=pair.retain)
