"""The teardown of a pair: the login first, the connection independently of it, the Secret last."""

from __future__ import annotations

from collections.abc import Iterator

from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Action, Delete, DeleteRemote, OwnKind, Release, SetFinalizer
from integration_operator.domain.model.facts import Facts
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.plan.integration import offers_that_give_way, upkeep
from integration_operator.domain.plan.manifests import Templates
from integration_operator.domain.plan.remote import delete_remote_user, release_finalizer
from integration_operator.domain.policies.delivery_mode import delivery_mode
from integration_operator.domain.policies.ownership import is_retained
from integration_operator.runtime.live_object import LiveObject

ORDER: tuple[OwnKind, ...] = ("MessagingUser", "Connection", "Secret")


def plan_teardown(facts: Facts, why: str, templates: Templates, *, withdraw: bool) -> tuple[Action, ...]:
    """Return the actions that delete what was delivered, and the offer too if ``withdraw``.

    No side waits for another: a Syndesis server that is down keeps no login open. The Secret stays until nothing is
    left over REST, so that an Integration that is enabled again meanwhile finds its credential.
    """
    integration = facts.integration
    remote = [*_remote_user(facts, why, withdraw=withdraw), *_remote_connection(facts, why, withdraw=withdraw)]
    children = [*_deletable(facts, why, withdraw=withdraw, with_secret=not _any_deletion(remote)), *remote]
    actions: list[Action] = sorted(children, key=lambda action: ORDER.index(action.kind))
    if withdraw:
        offers = (integration, *facts.duplicates)
        actions += [
            Delete.of("Integration", offer.live, why)
            for offer in offers
            if offer is not None and offer.disposable and not offer.live.deleting
        ]
    else:
        actions += [*upkeep(facts, templates), *offers_that_give_way(facts)]
    if integration is not None:
        actions += release_finalizer(integration, facts.remote)
    return tuple(action for action in actions if _is_reachable(facts, action))


def _deletable(facts: Facts, why: str, *, withdraw: bool, with_secret: bool) -> Iterator[Action]:
    """Yield the deletions of the pair's objects, without those that are retained.

    Of several users only the one in use is retained; the Secret says which that is. One that a user chose has none of
    ours.
    """
    own, may_retain = facts.children, _may_retain(facts, withdraw=withdraw)
    for user in own.other_users:
        if not user.deleting and not (may_retain and is_retained(user) and own.secret is None):
            yield Delete.of("MessagingUser", user, why)
    children: list[tuple[OwnKind, LiveObject | None]] = [("MessagingUser", own.user), ("Connection", own.connection)]
    children += [("Secret", own.secret)] if with_secret else []
    for kind, live in children:
        if live is not None and not live.deleting and not (may_retain and is_retained(live)):
            yield Delete.of(kind, live, why)


def _remote_user(facts: Facts, why: str, *, withdraw: bool) -> Iterator[Action]:
    """Yield the actions that delete the logins over REST; there are two during a rotation.

    A login whose AddressSpace is gone needs no request. If AddressSpaces are not shown at all, its realm is unknown,
    and it waits for them.
    """
    integration, overdue = facts.integration, facts.holds.overdue
    for remote in (facts.remote.user, facts.remote.second_user):
        if integration is None or remote.absent:
            continue
        chosen = delivery_mode(facts).user
        delivery = remote.delivery or (chosen if chosen != "native" else None)
        username = remote.id or facts.login.username
        ref = naming.user_ref(facts.pair, username)
        if delivery is None or _is_space_gone(facts):
            gone = "the user went with its AddressSpace" if delivery else why
            yield Release("MessagingUser", ref, gone, username=username)
        elif overdue or (username == facts.login.username and _retains_user(facts, integration, withdraw=withdraw)):
            yield Release("MessagingUser", ref, why, orphaned=overdue, username=username)
        elif facts.space is not None:
            yield delete_remote_user(facts, remote, delivery, username, why, facts.space)


def _remote_connection(facts: Facts, why: str, *, withdraw: bool) -> Iterator[Action]:
    """Yield the action that deletes the connection over REST; a Syndesis takes its database with it."""
    integration, remote, pair = facts.integration, facts.remote.connection, facts.pair
    if integration is None or remote.absent:
        return
    ref, overdue = naming.connection_ref(pair), facts.holds.overdue
    terminating = pair.consumer.namespace in facts.terminating
    if facts.syndesis is None or facts.syndesis.deleting or terminating:
        yield Release("Connection", ref, "the connection went with its Syndesis")
    elif overdue or _retains(integration, withdraw=withdraw):
        yield Release("Connection", ref, why, orphaned=overdue)
    else:
        yield DeleteRemote("Connection", "rest", pair, ref, remote, why, login=facts.login.username)


def _any_deletion(actions: list[Action]) -> bool:
    return any(isinstance(action, DeleteRemote) for action in actions)


def _may_retain(facts: Facts, *, withdraw: bool) -> bool:
    """Check if what was delivered with ``Retain`` stays: never once its pair is gone or has lost its consent."""
    integration = facts.integration
    deleted = integration is None or integration.spec.deletion_policy != "Retain" or integration.live.deleting
    return deleted and not withdraw


def _retains(integration: Integration, *, withdraw: bool) -> bool:
    """Check if the Integration that is being deleted asked to retain what it delivered."""
    return integration.spec.deletion_policy == "Retain" and integration.live.deleting and not withdraw


def _retains_user(facts: Facts, integration: Integration, *, withdraw: bool) -> bool:
    """Check if the login over REST stays: never across namespaces, where the giver could not see that it exists."""
    return _retains(integration, withdraw=withdraw) and not facts.pair.crosses_namespaces


def _is_space_gone(facts: Facts) -> bool:
    """Check if the AddressSpace is known to be gone, and its realm with it."""
    if facts.pair.space.namespace in facts.terminating:
        return True
    return facts.space is None and facts.cluster.is_known("AddressSpace") and not facts.cluster.upgrading


def _is_reachable(facts: Facts, action: Action) -> bool:
    """Check if an action is done outside namespaces that are being deleted."""
    return isinstance(action, (Release, SetFinalizer)) or action.ref.namespace not in facts.terminating
