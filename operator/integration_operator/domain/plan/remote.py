"""Actions over REST, and the finalizer: added before the first of them, removed when nothing is left."""

from __future__ import annotations

from typing import Any

from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Action, ChildKind, DeleteRemote, EnsureRemote, SetFinalizer
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.facts import DeliverablePair, Facts
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.platforms import AddressSpace
from integration_operator.domain.model.remote_state import RemoteDelivery, RemoteState, applied_hash, credentials_hash

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
    if confirmed and not remote.due and not verify:
        return True, add_finalizer(pair.integration)
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
    return confirmed, (*add_finalizer(pair.integration), action)


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


def add_finalizer(integration: Integration) -> tuple[Action, ...]:
    """Return the action that adds our finalizer, unless the Integration has it."""
    if integration.holds_rest_state:
        return ()
    why = "state over REST is out of the garbage collector's reach"
    return (SetFinalizer(integration.ref, integration.live.uid, True, why),)


def remove_finalizer(integration: Integration) -> tuple[Action, ...]:
    """Return the action that removes our finalizer, if the Integration has it."""
    if not integration.holds_rest_state:
        return ()
    return (SetFinalizer(integration.ref, integration.live.uid, False, "nothing is left over REST"),)
