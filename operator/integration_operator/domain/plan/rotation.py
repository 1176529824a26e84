"""The rotation of the credential: a new user beside the earlier one, the connection moves, the earlier user goes.

A binding has no connection: only its Secret moves. A change of the user's delivery from MessagingUser to REST takes the
same steps, under the same password.

A rotation goes on only while everything else of the pair is as desired. Each step leaves a state that shows what the
next one is:

1. ``Begin``: the Secret records the next credential, before any other system sees it.
2. ``Prepare``: its user is created.
3. ``Move``: once that user can log in, the Secret gets its credential, and the connection follows.
4. ``Overlap``: once the connection has the new user, the earlier one remains for ``spec.rotation.overlap``.
5. ``End``: the earlier user is deleted, and then ``Forget``: the Secret no longer names it.

There are never more than two users, because a rotation begins only when there is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from integration_operator.api.integration import RotationStatus
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import (
    Action,
    Delete,
    Release,
    SetFinalizer,
)
from integration_operator.domain.model.credential import Credential, username_of
from integration_operator.domain.model.facts import DeliverablePair
from integration_operator.domain.model.remote_state import RemoteState, applied_hash
from integration_operator.domain.model.rotation import RotationRecord, format_time
from integration_operator.domain.plan.credential import secret_document, write_secret
from integration_operator.domain.plan.manifests import Templates
from integration_operator.domain.plan.remote import delete_remote_user
from integration_operator.domain.plan.user import plan_next_user, user_document
from integration_operator.domain.policies import rotation
from integration_operator.domain.policies.delivery_mode import UserDelivery
from integration_operator.domain.policies.rotation import PreviousUsers
from integration_operator.runtime.conditions import Condition


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """How far the rotation is. ``conditions`` is empty if nothing is to be said of rotation.

    ``wake_at`` is the time of the next step, if it waits for one.
    """

    conditions: tuple[Condition, ...] = ()
    actions: tuple[Action, ...] = ()
    status: RotationStatus | None = None
    wake_at: datetime | None = None


def plan_rotation(
    pair: DeliverablePair, credential: Credential, delivery: UserDelivery, templates: Templates, *, settled: bool
) -> RotationPlan:
    """Plan the next step. ``settled`` means that everything else is as desired. Raises ``TemplateRefused``."""
    previous, following = rotation.previous_users(pair), pair.facts.login.rotation.next
    if previous:
        step = _end(pair, credential, previous, delivery, templates, settled=settled)
    elif following is not None:
        step = _prepare(pair, credential, following, delivery, templates, settled=settled)
    elif pair.integration.spec.credentials_secret_ref is not None:
        step = _provided(pair)
    elif pair.facts.login.rotation.previous is not None:
        step = _forget(pair, credential, templates)
    elif rotation.changes_delivery(pair, delivery):
        step = _begin(pair, credential, credential.password, f"the user changes to {delivery}", templates)
    else:
        step = _idle(pair, credential, templates, settled=settled)
    if following is not None and _keeps_password(credential, following):
        return step
    return replace(step, actions=tuple(_of_rotation(action) for action in step.actions))


def _of_rotation(action: Action) -> Action:
    return action if isinstance(action, (Release, SetFinalizer)) else replace(action, rotation=True)


def _idle(pair: DeliverablePair, credential: Credential, templates: Templates, *, settled: bool) -> RotationPlan:
    """Begin a rotation if one is due, else say when the next one is."""
    record = pair.facts.login.rotation
    why, at = rotation.due(pair), rotation.due_at(pair.integration, record, pair.children.secret)
    status = _status(record, next_at=at)
    if why is None:
        return RotationPlan(_idle_conditions(record, at), status=status, wake_at=at)
    if not settled:
        message = f"Waits until the pair is Ready: {why}"
        return RotationPlan((Condition("Rotating", "False", "Waiting", message),), status=status)
    step = _begin(pair, credential, pair.facts.login.new_password, why, templates)
    return replace(step, status=status)


def _begin(
    pair: DeliverablePair, credential: Credential, password: str, why: str, templates: Templates
) -> RotationPlan:
    """Record the next credential."""
    record, username = pair.facts.login.rotation, naming.other_username(pair.pair, credential.username)
    request = record.request if password == credential.password else rotation.requested(pair.integration)
    begun = replace(record, next=Credential(username, password), request=request)
    return RotationPlan(
        (Condition("Rotating", "True", "Preparing", f"User {username!r} is being created: {why}"),),
        _write_secret(pair, credential, begun, templates),
        _status(record),
    )


def _keeps_password(credential: Credential, following: Credential) -> bool:
    """Check if only the delivery of the user changes. That waits for nothing: the user in use may be out of order."""
    return following.password == credential.password


def _idle_conditions(record: RotationRecord, at: datetime | None) -> tuple[Condition, ...]:
    last = f"The credential was rotated at {format_time(record.rotated_at)}" if record.rotated_at else ""
    following = f"The credential is rotated at {format_time(at)}" if at else ""
    if not (last or following):
        return ()
    reason = "Rotated" if record.rotated_at else "Scheduled"
    return (Condition("Rotating", "False", reason, "; ".join(filter(None, (last, following)))),)


def _provided(pair: DeliverablePair) -> RotationPlan:
    """Say that the owner of the Secret rotates its credential, if rotation is asked for."""
    if not (pair.integration.spec.rotation or rotation.requested(pair.integration)):
        return RotationPlan()
    reference = pair.integration.spec.credentials_secret_ref
    name = reference.name if reference else ""
    message = f"Secret {name} is not the operator's; to rotate, set another user name and password there"
    return RotationPlan((Condition("Rotating", "False", "ProvidedCredential", message),))


def _prepare(
    pair: DeliverablePair,
    credential: Credential,
    following: Credential,
    delivery: UserDelivery,
    templates: Templates,
    *,
    settled: bool,
) -> RotationPlan:
    """Create the next user; once it can log in, let the Secret have its credential."""
    record, keeps_password = pair.facts.login.rotation, _keeps_password(credential, following)
    status = _status(record)
    step = plan_next_user(pair, following, delivery, templates)
    if not (settled or keeps_password):
        waits = Condition("Rotating", "True", "Waiting", f"User {following.username!r} waits until the pair is Ready")
        return RotationPlan((waits,), status=status)
    if not step.check:
        message = f"User {following.username!r}: {step.check.message}"
        return RotationPlan((Condition("Rotating", "True", step.check.reason, message),), step.actions, status)
    rotated_at = record.rotated_at if keeps_password else pair.facts.now
    moved = RotationRecord(None, pair.facts.login.username, rotated_at, record.request)
    message = f"The Secret gets the credential of user {following.username!r}"
    return RotationPlan(
        (Condition("Rotating", "True", "Moving", message),),
        (*step.actions, *_write_secret(pair, following, moved, templates)),
        status,
    )


def _end(
    pair: DeliverablePair,
    credential: Credential,
    previous: PreviousUsers,
    delivery: UserDelivery,
    templates: Templates,
    *,
    settled: bool,
) -> RotationPlan:
    """Delete the earlier users once the connection has had the new one for the overlap."""
    record, users = pair.facts.login.rotation, ", ".join(map(repr, previous.usernames))
    if (excess := rotation.excess(pair, previous) or _excess_over_rest(pair, previous, templates)) is not None:
        ended = Condition("Rotating", "True", "Ending", f"{users} is being deleted: {excess}")
        return RotationPlan((ended,), _deletions(pair, credential, previous, excess, templates), _status(record))
    if not settled:
        what = "Secret" if pair.pair.is_binding else "connection"
        message = f"The {what} changes to user {pair.facts.login.username!r}; {users} remains until then"
        return RotationPlan((Condition("Rotating", "True", "Moving", message),), status=_status(record))
    now = pair.facts.now
    moved_at = min(pair.integration.moved_at or now, now)
    until = moved_at + rotation.overlap(pair.integration)
    early = rotation.ends_early(pair, previous, delivery)
    status = _status(record, moved_at=moved_at)
    if early is None and until > now:
        in_use, end = pair.facts.login.username, format_time(until)
        if pair.pair.is_binding:
            message = (
                f"The Secret has user {in_use!r}; restart workloads that do not follow it before {end}, "
                f"when user {users} is deleted (spec.rotation.overlap)"
            )
        else:
            message = (
                f"The connection has user {in_use!r}; publish integrations that run again before {end}, "
                f"when their user {users} is deleted (spec.rotation.overlap)"
            )
        return RotationPlan((Condition("Rotating", "True", "Overlap", message),), status=status, wake_at=until)
    why = early or "the overlap of the rotation is over"
    ended = Condition("Rotating", "True", "Ending", f"{users} is being deleted: {why}")
    return RotationPlan((ended,), _deletions(pair, credential, previous, why, templates), status)


def _forget(pair: DeliverablePair, credential: Credential, templates: Templates) -> RotationPlan:
    """Remove the name of the earlier user, which is deleted, from the Secret."""
    record = replace(pair.facts.login.rotation, previous=None)
    at = rotation.due_at(pair.integration, record, pair.children.secret)
    actions = _write_secret(pair, credential, record, templates)
    return RotationPlan(_idle_conditions(record, at), actions, _status(record, next_at=at), at)


def _deletions(
    pair: DeliverablePair, credential: Credential, previous: PreviousUsers, why: str, templates: Templates
) -> tuple[Action, ...]:
    """Delete the earlier users. A watch shows MessagingUsers, so that the Secret need not name one any longer."""
    record, forget = pair.facts.login.rotation, tuple[Action, ...]()
    if any(username_of(user) == record.previous for user in previous.resources):
        forget = _write_secret(pair, credential, replace(record, previous=None), templates)
    return (*forget, *_each_deletion(pair, previous, why))


def _each_deletion(pair: DeliverablePair, previous: PreviousUsers, why: str) -> Iterator[Action]:
    for user in previous.resources:
        if not user.deleting:
            yield Delete.of("MessagingUser", user, why)
    for remote in previous.remote:
        if remote.delivery is not None and remote.id is not None:
            yield delete_remote_user(pair.facts, remote, remote.delivery, remote.id, why, pair.space)


def _excess_over_rest(pair: DeliverablePair, previous: PreviousUsers, templates: Templates) -> str | None:
    """Return why an earlier user over REST must not remain in another tenant's AddressSpace.

    Its rights cannot be read, so it remains only if it was confirmed with those that a user has now.
    """
    if pair.pair.crosses_namespaces and any(not _is_current(pair, user, templates) for user in previous.remote):
        return "its rights may exceed what the giver allows"
    return None


def _is_current(pair: DeliverablePair, user: RemoteState, templates: Templates) -> bool:
    document = user_document(pair, Credential(user.id or "", ""), templates)
    return user.applied == applied_hash(document)


def _write_secret(
    pair: DeliverablePair, credential: Credential, record: RotationRecord, templates: Templates
) -> tuple[Action, ...]:
    return write_secret(pair.children.secret, secret_document(pair, credential, record, templates))


def _status(
    record: RotationRecord, *, next_at: datetime | None = None, moved_at: datetime | None = None
) -> RotationStatus:
    times = {"rotated_at": record.rotated_at, "next_at": next_at, "moved_at": moved_at}
    return RotationStatus(**{key: format_time(time) for key, time in times.items() if time is not None})
