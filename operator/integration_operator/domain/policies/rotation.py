"""When a credential is rotated, and how long the earlier user remains.

The owner of a Secret that ``spec.credentialsSecretRef`` names rotates its credential; the operator follows, with the
same overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from integration_operator.api import names
from integration_operator.api.integration import timedelta_of
from integration_operator.domain.model.credential import username_of
from integration_operator.domain.model.facts import DeliverablePair
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.remote_state import RemoteState
from integration_operator.domain.model.rotation import RotationRecord, parse_time, request_hash
from integration_operator.domain.policies.authorization import exceeds
from integration_operator.runtime.live_object import LiveObject

DEFAULT_OVERLAP = timedelta(hours=1)
"""An integration that runs keeps the credential with which it was published: the time to publish it again."""


def overlap(integration: Integration) -> timedelta:
    """Return the time for which the earlier user remains once the connection has the new one."""
    rotation = integration.spec.rotation
    return timedelta_of(rotation.overlap) if rotation and rotation.overlap else DEFAULT_OVERLAP


def requested(integration: Integration) -> str:
    """Return the hash of the value of the annotation that requests a rotation, empty without one."""
    return request_hash(integration.live.annotations.get(names.ROTATE, ""))


def due_at(integration: Integration, record: RotationRecord, secret: LiveObject | None) -> datetime | None:
    """Return when the credential reaches the age of ``spec.rotation.every``; None if it has no limit."""
    rotation = integration.spec.rotation
    if rotation is None or rotation.every is None:
        return None
    created = parse_time(secret.document["metadata"].get("creationTimestamp")) if secret else None
    since = record.rotated_at or created
    return since + timedelta_of(rotation.every) if since else None


def due(pair: DeliverablePair) -> str | None:
    """Return why the credential must be rotated now; None if it must not."""
    record, request = pair.facts.login.rotation, requested(pair.integration)
    if request and request != record.request:
        return f"the annotation {names.ROTATE} requests it"
    at = due_at(pair.integration, record, pair.children.secret)
    if at is not None and at <= pair.facts.now:
        return "the credential is as old as spec.rotation.every"
    return None


def changes_delivery(pair: DeliverablePair, delivery: str) -> bool:
    """Check if a MessagingUser has to be replaced by a login over REST.

    The login needs another name, because EnMasse deletes that of a MessagingUser together with it. The other way round
    EnMasse takes the login over under its name.
    """
    return delivery != "native" and pair.children.user is not None


@dataclass(frozen=True, slots=True)
class PreviousUsers:
    """The users that the pair's connection no longer needs: MessagingUsers, and users over REST."""

    resources: tuple[LiveObject, ...] = ()
    remote: tuple[RemoteState, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.resources or self.remote)

    @property
    def usernames(self) -> tuple[str, ...]:
        """Their user names."""
        names_ = {
            *(str(username_of(user)) for user in self.resources),
            *(state.id for state in self.remote if state.id),
        }
        return tuple(sorted(names_))


def previous_users(pair: DeliverablePair) -> PreviousUsers:
    """Return the users of the pair that are neither in use nor being prepared."""
    login = pair.facts.login
    needed = {login.username, login.rotation.next.username if login.rotation.next else login.username}
    resources = tuple(user for user in pair.children.other_users if username_of(user) not in needed)
    return PreviousUsers(resources, pair.remote.users_except(needed))


def excess(pair: DeliverablePair, previous: PreviousUsers) -> str | None:
    """Return why earlier users must not remain: a MessagingUser may do more than the giver allows."""
    if pair.pair.crosses_namespaces and any(exceeds(user, pair.space) for user in previous.resources):
        return "its rights exceed what the giver allows"
    return None


def ends_early(pair: DeliverablePair, previous: PreviousUsers, delivery: str) -> str | None:
    """Return why there is no overlap.

    An earlier user of another delivery is left from a change of the delivery. One that the status does not name is left
    from another Integration, which is gone, and its login must not outlive it.
    """
    made_by = {"native" for _ in previous.resources} | {state.delivery for state in previous.remote}
    recorded = {pair.facts.login.rotation.previous} | pair.integration.delivered_usernames
    if made_by - {delivery} or set(previous.usernames) - recorded:
        return "the login has another name now"
    return None
