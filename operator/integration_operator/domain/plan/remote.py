"""Actions over REST, and the finalizer: added before the first of them, removed when nothing is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Action, ChildKind, DeleteRemote, EnsureRemote, SetFinalizer
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.facts import DeliverablePair, Facts
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.platforms import AddressSpace
from integration_operator.domain.model.remote_state import (
    RemoteDelivery,
    RemoteSides,
    RemoteState,
    applied_hash,
    credentials_hash,
    rest_user,
)

Document = dict[str, Any]


def ensure_remote(
    pair: DeliverablePair,
    kind: ChildKind,
    delivery: RemoteDelivery,
    document: Document,
    credential: Credential,
    remote: RemoteState,
    *,
    platform: str,
    verify: bool = False,
    adopted_id: str | None = None,
) -> tuple[bool, tuple[Action, ...]]:
    """Return whether a side is confirmed as desired, and the actions that it needs, our finalizer before all others.

    ``platform`` is the uid of the AddressSpace or Syndesis. ``verify`` lets Syndesis verify a connection that has not
    been seen to work.
    """
    applied = applied_hash(document)
    credentials = credentials_hash(credential, naming.integration_label(pair.pair))
    confirmed = remote.delivery == delivery and remote.confirmed(applied, credentials, platform)
    verify = verify and confirmed and (remote.verified is None or (remote.due and not remote.verified))
    user = "" if kind == "Connection" or remote.present else rest_user(delivery, credential.username)
    finalizer = add_finalizer(pair.integration, user)
    if confirmed and not remote.due and not verify:
        return True, finalizer
    action = EnsureRemote(
        kind=kind,
        delivery=delivery,
        pair=pair.pair,
        document=document,
        credential=credential,
        space=pair.space,
        remote=remote,
        applied=applied,
        credentials=credentials,
        why="it is time to verify it" if confirmed else "it is not confirmed as desired",
        verify=verify,
        platform=platform,
        adopted_id=adopted_id,
        inherited=pair.facts.login.inherited,
    )
    return confirmed, (*finalizer, action)


def delete_remote_user(
    facts: Facts, remote: RemoteState, delivery: RemoteDelivery, username: str, why: str, space: AddressSpace
) -> DeleteRemote:
    """Return the action that deletes a login over REST."""
    return DeleteRemote(
        kind="MessagingUser",
        delivery=delivery,
        pair=facts.pair,
        ref=naming.user_ref(facts.pair, username),
        remote=remote,
        why=why,
        username=username,
        space=space,
        inherited=facts.login.inherited,
    )


def add_finalizer(integration: Integration, user: str) -> tuple[SetFinalizer, ...]:
    """Return the action that adds our finalizer, with the ``user`` that is about to be created; none if both are there.

    It tells the next process in which system a user may exist, and under which name, if this one is killed before it
    can report that. ``user`` is empty if none is to be created.
    """
    if integration.holds_rest_state and user in ("", integration.rest_user):
        return ()
    why = "state over REST is out of the garbage collector's reach"
    return (SetFinalizer(integration.ref, integration.live.uid, True, why, user or integration.rest_user),)


def release_finalizer(integration: Integration, remote: RemoteSides) -> tuple[SetFinalizer, ...]:
    """Return the action that removes our finalizer, or only what it says of a user, if nothing of it is left."""
    ref, uid = integration.ref, integration.live.uid
    if not integration.holds_rest_state:
        return ()
    if remote.absent:
        return (SetFinalizer(ref, uid, False, "nothing is left over REST"),)
    if integration.rest_user and remote.user.absent and remote.second_user.absent:
        return (SetFinalizer(ref, uid, True, "no user is left over REST"),)
    return ()


def with_one_finalizer(actions: Iterable[Action]) -> Iterator[Action]:
    """Yield the actions with only one that sets our finalizer, where the first of them was: one that names a user."""
    actions = list(actions)
    setters = [action for action in actions if isinstance(action, SetFinalizer) and action.present]
    chosen = max(setters, key=lambda action: bool(action.user), default=None)
    for action in actions:
        if action not in setters:
            yield action
        elif chosen is not None:
            yield chosen
            chosen = None
