"""What is known of state that was made over REST, where no watch tells and no owner reference reaches.

What was confirmed is kept in the Integration's status, as hashes of what was delivered: while they are what is wanted,
nothing is asked of the other side. The status is no more than a note: without it the other side is asked, and found
by names and ids that follow from the pair.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from integration_operator.domain.credentials import Credential
from integration_operator.domain.verdict import Verdict

Document = dict[str, Any]
OverRest = Literal["aggregated", "keycloak", "rest"]
"""Deliveries of which nothing is seen without asking: users by plain requests or in Keycloak, connections."""

PROOF_OF_CONCEPT_ID = "connectionID"
"""Where the proof of concept noted the connection that it made (its pkg/apis/integration/v1alpha1/types.go)."""

OVER_REST = frozenset({"aggregated", "keycloak", "rest"})


@dataclass(frozen=True, slots=True)
class Remote:
    """One side's state over REST.

    ``exists`` is None if it is not known: something may be there. ``id`` is the connection's, or the user's name.
    ``applied`` and ``credentials`` are the hashes of what the other side was confirmed to have. ``due`` says that it is
    time to look whether it still has it. ``verified`` is what Syndesis said when it tried the connection.
    ``platform`` is the identity of the platform that confirmed it (uid of the Syndesis, id of the realm): on another
    one nothing is confirmed. ``stored`` is a hash of the ciphertext that Syndesis stored for the password.
    """

    delivery: OverRest | None = None
    exists: bool | None = False
    id: str | None = None
    applied: str = ""
    credentials: str = ""
    due: bool = False
    verified: Verdict | None = None
    platform: str = ""
    stored: str = ""

    def confirmed(self, applied: str, credentials: str, platform: str) -> bool:
        """Check if this very platform has exactly this."""
        known = (self.applied, self.credentials, self.platform)
        return self.exists is True and known == (applied, credentials, platform)


@dataclass(frozen=True, slots=True)
class RemoteState:
    """Both sides of a pair."""

    user: Remote = field(default_factory=Remote)
    connection: Remote = field(default_factory=Remote)

    @property
    def nothing(self) -> bool:
        """True if it is certain that nothing is there."""
        return self.user.exists is False and self.connection.exists is False


def noted(status: Document, *, finalizer: bool) -> RemoteState:
    """Return what the status of an Integration says; with our ``finalizer`` on it, what it does not say is unknown.

    A tenant can write status and finalizer: they say what to look at, never whose it is. A connection that the proof of
    concept left is there, and nothing about it is confirmed.
    """
    delivered = _mapping(status.get("delivered"))
    connection = _mapping(delivered.get("connection"))
    if not delivered and (left := _mapping(status.get("metaData")).get(PROOF_OF_CONCEPT_ID)):
        connection = {"delivery": "rest", "id": left}
    conditions = status.get("conditions")
    said = [c for c in conditions if _mapping(c).get("type") == VERIFIED] if isinstance(conditions, list) else []
    verified = [Verdict(c.get("status") == "True", _text(c, "reason"), _text(c, "message")) for c in said]
    return RemoteState(
        _noted(_mapping(delivered.get("user")), finalizer, None),
        _noted(connection, finalizer, verified[0] if verified else None),
    )


VERIFIED = "ConnectionVerified"


def _mapping(value: object) -> Document:
    return value if isinstance(value, dict) else {}


def _text(side: Document, key: str) -> str:
    found = side.get(key)
    return found if isinstance(found, str) else ""


def _noted(side: Document, finalizer: bool, verified: Verdict | None) -> Remote:
    how = side.get("delivery")
    if how not in OVER_REST:
        return Remote(exists=None if finalizer else False)
    return Remote(
        how,
        True,
        _text(side, "id") or _text(side, "username") or None,
        _text(side, "appliedHash"),
        _text(side, "credentialsHash"),
        False,
        verified,
        _text(side, "platform"),
        _text(side, "storedHash"),
    )


def applied_hash(document: Document) -> str:
    """Return a hash of what a document says; of a MessagingUser without the password."""
    spec = dict(document["spec"])
    if isinstance(spec.get("authentication"), dict):
        spec["authentication"] = {k: v for k, v in spec["authentication"].items() if k != "password"}
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:32]


@lru_cache(maxsize=4096)
def credentials_hash(credential: Credential, salt: str) -> str:
    """Return a salted hash of a credential, costly enough that a user's own password is not found from it by trying.

    The salt is what names the pair everywhere: whoever takes a connection over finds the same hash beside it.
    """
    text = f"{credential.username}\0{credential.password}".encode()
    return hashlib.scrypt(text, salt=salt.encode(), n=2**10, r=8, p=1, dklen=16).hex()
