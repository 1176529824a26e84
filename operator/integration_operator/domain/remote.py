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

    ``exists`` is None where it is not known: something may be there. ``id`` is the connection's, or the user's name.
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

    def confirmed(self, applied: str, credentials: str) -> bool:
        """Whether the other side has exactly this."""
        return self.exists is True and (self.applied, self.credentials) == (applied, credentials)


@dataclass(frozen=True, slots=True)
class RemoteState:
    """Both sides of a pair."""

    user: Remote = field(default_factory=Remote)
    connection: Remote = field(default_factory=Remote)

    @property
    def nothing(self) -> bool:
        """Whether it is certain that nothing is there."""
        return self.user.exists is False and self.connection.exists is False


def noted(status: Document, *, finalizer: bool) -> RemoteState:
    """What the status of an Integration says; with our ``finalizer`` on it, what it does not say is not known.

    A connection that the proof of concept left is there, and nothing about it is confirmed.
    """
    delivered = status.get("delivered") or {}
    connection = delivered.get("connection") or {}
    if not delivered and (left := (status.get("metaData") or {}).get(PROOF_OF_CONCEPT_ID)):
        connection = {"delivery": "rest", "id": left}
    conditions = {c.get("type"): c for c in status.get("conditions") or ()}
    said = conditions.get("ConnectionVerified")
    verified = Verdict(said["status"] == "True", said["reason"], said["message"]) if said else None
    return RemoteState(
        _noted(delivered.get("user") or {}, finalizer, None),
        _noted(connection, finalizer, verified),
    )


def _noted(side: Document, finalizer: bool, verified: Verdict | None) -> Remote:
    how = side.get("delivery")
    if how not in OVER_REST:
        return Remote(exists=None if finalizer else False)
    return Remote(
        how,
        True,
        side.get("id") or side.get("username"),
        side.get("appliedHash") or "",
        side.get("credentialsHash") or "",
        False,
        verified,
        side.get("platform") or "",
        side.get("storedHash") or "",
    )


def applied_hash(document: Document) -> str:
    """A hash of what a document says; of a MessagingUser without the password."""
    spec = dict(document["spec"])
    if isinstance(spec.get("authentication"), dict):
        spec["authentication"] = {k: v for k, v in spec["authentication"].items() if k != "password"}
    return hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:32]


@lru_cache(maxsize=4096)
def credentials_hash(credential: Credential, salt: str) -> str:
    """A salted hash of a credential, costly enough that a person's own password is not found from it by trying.

    The salt is what names the pair everywhere: whoever takes a connection over finds the same hash beside it.
    """
    text = f"{credential.username}\0{credential.password}".encode()
    return hashlib.scrypt(text, salt=salt.encode(), n=2**10, r=8, p=1, dklen=16).hex()
