"""What is known of state over REST, which no watch shows and no owner reference reaches.

What was confirmed is kept in the Integration's status, as hashes of what was delivered: while the desired state has the
same hashes, nothing is requested. The status is only a note. Without it, the other system is asked, and the object is
found by a name or id that follows from the pair.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import lru_cache
from typing import Any, Literal

from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.credential import Credential

Document = dict[str, Any]
RemoteDelivery = Literal["aggregated", "keycloak", "rest"]
"""Deliveries whose result only a request shows: users by plain requests or in Keycloak, connections by REST."""

REMOTE_DELIVERIES = frozenset({"aggregated", "keycloak", "rest"})
USER_DELIVERIES: tuple[RemoteDelivery, ...] = ("aggregated", "keycloak")

PROOF_OF_CONCEPT_ID = "connectionID"
"""Key in ``status.metaData`` of the connection's id (proof of concept, pkg/apis/integration/v1alpha1/types.go)."""

VERIFIED = "ConnectionVerified"


class Presence(Enum):
    """Whether an object exists over REST."""

    ABSENT = "absent"
    PRESENT = "present"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class RemoteState:
    """The state of one side over REST.

    ``id`` is the connection's id, or the user's name; an absent user with an ``id`` was deleted. ``applied`` and
    ``credentials`` are hashes of what was confirmed, on the platform with the identity ``platform`` (uid of the
    Syndesis, id of the realm). ``stored`` is a hash of the ciphertext that Syndesis stores for the password.
    ``verified`` is the result of Syndesis's verification. ``due`` means that it is time to read the object again.
    """

    delivery: RemoteDelivery | None = None
    presence: Presence = Presence.ABSENT
    id: str | None = None
    applied: str = ""
    credentials: str = ""
    due: bool = False
    verified: Check | None = None
    platform: str = ""
    stored: str = ""

    @property
    def absent(self) -> bool:
        """True if it is certain that the object does not exist."""
        return self.presence is Presence.ABSENT

    @property
    def present(self) -> bool:
        """True if the object is known to exist."""
        return self.presence is Presence.PRESENT

    def confirmed(self, applied: str, credentials: str, platform: str) -> bool:
        """Check if this platform is known to have exactly this."""
        return self.present and (self.applied, self.credentials, self.platform) == (applied, credentials, platform)


@dataclass(frozen=True, slots=True)
class RemoteSides:
    """The state of both sides of a pair.

    There are two users while a new one replaces an earlier one. Which of them is ``user`` and which ``second_user``
    means nothing: their ids, the user names, tell them apart.
    """

    user: RemoteState = field(default_factory=RemoteState)
    connection: RemoteState = field(default_factory=RemoteState)
    second_user: RemoteState = field(default_factory=RemoteState)

    @property
    def absent(self) -> bool:
        """True if it is certain that neither side exists."""
        return self.user.absent and self.second_user.absent and self.connection.absent

    def user_named(self, username: str) -> RemoteState:
        """Return the state of the user with a name. A user whose name is unknown may be this one."""
        for state in (self.user, self.second_user):
            if state.id == username:
                return state
        unnamed = (state for state in (self.user, self.second_user) if state.id is None and not state.absent)
        return next(unnamed, RemoteState())

    def users_except(self, usernames: Collection[str]) -> tuple[RemoteState, ...]:
        """Return the users that may exist under other names."""
        users = (self.user, self.second_user)
        return tuple(user for user in users if not user.absent and user.id is not None and user.id not in usernames)

    def with_login(self, username: str, other: str | None) -> RemoteSides:
        """Return the sides with the users that the Secret names: the one in use, and the ``other`` of a rotation.

        Once a user is recorded there, it may exist. A process that was killed had no time to name it in the status.
        """
        if self.user.absent and (self.user.delivery is None or other is None):
            return self
        sides = self
        for name in (other, username if self.user.id is not None else None):
            if name not in (None, sides.user.id, sides.second_user.id) and sides.second_user.absent:
                sides = replace(sides, second_user=RemoteState(self.user.delivery, Presence.UNKNOWN, id=name))
        return sides

    def with_user(self, username: str | None, state: RemoteState) -> RemoteSides:
        """Return the sides after a call about the user with a name; None means all users."""
        if username is None:
            return replace(self, user=state, second_user=RemoteState())
        state = replace(state, id=username)
        if self.second_user.id == username or (self.user.id not in (None, username) and not self.user.absent):
            return replace(self, second_user=state)
        if state.absent and not self.second_user.absent:
            return replace(self, user=self.second_user, second_user=state)
        return replace(self, user=state)


def rest_user(delivery: RemoteDelivery, username: str) -> str:
    """Return the value of ``names.REST_USER`` for a login."""
    return f"{delivery}/{username}"


def parse_status(status: Document, *, finalizer: bool, about_to_create: str = "") -> RemoteSides:
    """Return what an Integration's status says; with our ``finalizer``, what it does not say is unknown.

    ``about_to_create`` is the value of ``names.REST_USER``: a user that may exist, too. A tenant can write all three:
    they say what to read, never whose it is. A connection of the proof of concept exists, and nothing about it is
    confirmed.
    """
    delivered = _mapping(status.get("delivered"))
    connection = _mapping(delivered.get("connection"))
    if not delivered and (left := _mapping(status.get("metaData")).get(PROOF_OF_CONCEPT_ID)):
        connection = {"delivery": "rest", "id": left}
    conditions = status.get("conditions")
    reported = [c for c in conditions if _mapping(c).get("type") == VERIFIED] if isinstance(conditions, list) else []
    checks = [Check(c.get("status") == "True", _text(c, "reason"), _text(c, "message")) for c in reported]
    user = _parse_side(_mapping(delivered.get("user")), finalizer, None)
    second_user = _parse_side(_mapping(delivered.get("secondUser")), False, None)  # the Secret names it, too
    begun = _begun_user(about_to_create) if finalizer else None
    if begun is not None and user.delivery is None:
        user = begun
    elif begun is not None and second_user.delivery is None and begun.id != user.id:
        second_user = begun
    return RemoteSides(
        user,
        _parse_side(connection, finalizer, checks[0] if checks else None),
        second_user,
    )


def applied_hash(document: Document) -> str:
    """Return a hash of a document's spec; of a MessagingUser's without the password."""
    spec = dict(document["spec"])
    if isinstance(spec.get("authentication"), dict):
        spec["authentication"] = {k: v for k, v in spec["authentication"].items() if k != "password"}
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:32]


@lru_cache(maxsize=4096)
def credentials_hash(credential: Credential, salt: str) -> str:
    """Return a salted hash of a credential, too costly to find a user's own password by guessing.

    The salt is the pair's label, which every delivery knows: whoever takes a connection over computes the same hash.
    """
    text = f"{credential.username}\0{credential.password}".encode()
    return hashlib.scrypt(text, salt=salt.encode(), n=2**10, r=8, p=1, dklen=16).hex()


def _parse_side(side: Document, finalizer: bool, verified: Check | None) -> RemoteState:
    delivery = side.get("delivery")
    if delivery not in REMOTE_DELIVERIES:
        return RemoteState(presence=Presence.UNKNOWN if finalizer else Presence.ABSENT)
    return RemoteState(
        delivery,
        Presence.PRESENT,
        id=_text(side, "id") or _text(side, "username") or None,
        applied=_text(side, "appliedHash"),
        credentials=_text(side, "credentialsHash"),
        verified=verified,
        platform=_text(side, "platform"),
        stored=_text(side, "storedHash"),
    )


def _begun_user(about_to_create: str) -> RemoteState | None:
    delivery, _, username = about_to_create.partition("/")
    for known in USER_DELIVERIES:
        if delivery == known and username:
            return RemoteState(known, Presence.UNKNOWN, id=username)
    return None


def _mapping(value: object) -> Document:
    return value if isinstance(value, dict) else {}


def _text(side: Document, key: str) -> str:
    text = side.get(key)
    return text if isinstance(text, str) else ""
