"""Readiness of the platforms: an AddressSpace that can be used, a user that can log in, a connection that works.

Losing readiness later deletes nothing: these checks only decide what may be created, and what a condition says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.platforms import AddressSpace, Syndesis
from integration_operator.runtime.text import sanitized

TlsMode = Literal["auto", "required", "disabled"]
Document = dict[str, Any]

WITHOUT_USERS = frozenset({"none", "external"})
"""Types of authentication services without users: a MessagingUser stays Pending there, and its deletion hangs
(messaginguser_controller.go:205-305 @0.33.1)."""

SPACE_NAME = re.compile(r"[a-z0-9-]{1,60}")
"""Names of AddressSpaces (AddressSpaceNameValidator.java:17). A dot would end the space's part of a MessagingUser's."""

USERNAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
"""User names that every release of EnMasse and Keycloak takes (Keycloak 26 requires at least 3 characters)."""

USERNAME_IN_WORDS = (
    "the user name must have 3 to 63 characters of a-z, 0-9 and '-', and begin and end with a letter or a digit"
)

NOT_WRITTEN = -1
"""The ``observedGeneration`` that the API server sets: the reconciler of a Connection may write none."""

MAX_QUOTE = 900
"""Bytes of a platform's message, so that a message that quotes it stays under 1 KiB."""


@dataclass(frozen=True, slots=True)
class Transport:
    """The way from a client to the broker. ``certificate`` is the CA to trust as PEM, if there is one."""

    scheme: Literal["amqp", "amqps"]
    host: str
    port: int
    certificate: str | None = None

    @property
    def server(self) -> str:
        """The URI of the broker, for any client."""
        return f"{self.scheme}://{self.host}:{self.port}"

    @property
    def uri(self) -> str:
        """The connection URI of the AMQP connector; SASL PLAIN is what EnMasse's authentication service speaks."""
        return f"{self.server}?amqp.saslMechanisms=PLAIN"


def can_serve(space: AddressSpace, authentication_type: str | None) -> Check:
    """Check that an AddressSpace can serve a login. ``authentication_type`` is its service's, if it is known."""
    if not SPACE_NAME.fullmatch(space.ref.name):
        return Check.failure(
            "InvalidName", f"EnMasse cannot serve an AddressSpace named {space.ref.name!r}: 1 to 60 of a-z, 0-9 and '-'"
        )
    for kind in (authentication_type, space.authentication_type, space.authentication):
        if kind in WITHOUT_USERS:
            return Check.failure(
                "NoAuthenticationService",
                f"AddressSpace {space.ref} has the authentication service {kind!r}, which has no users; its owner "
                "must choose one of type standard",
            )
    if space.defects:
        return Check.failure("AddressSpaceMalformed", f"AddressSpace {space.ref}: {'; '.join(space.defects)}")
    if not space.ready:
        detail = f": {sanitized('; '.join(space.messages))}" if space.messages else " (no status.isReady: true)"
        return Check.failure("AddressSpaceNotReady", f"AddressSpace {space.ref} is not ready{detail}")
    if space.endpoint is None:
        return Check.failure(
            "NoMessagingEndpoint",
            f"AddressSpace {space.ref} shows no endpoint for the service 'messaging' with a service host in its status",
        )
    return Check.success("AddressSpaceReady")


def transport(space: AddressSpace, tls: TlsMode, *, was_secure: bool = False) -> Transport | Check:
    """Return the way to the broker, or a failed check that says which fact is missing.

    ``auto`` uses TLS if the space has both a TLS port and a CA. ``required`` uses it with the CA, or with the trust
    store of Syndesis's Java if EnMasse shows no CA (a certificate of a public CA). ``disabled`` never uses it.
    ``was_secure`` means that the connection was delivered over TLS: ``auto`` then never falls back to plain text.
    """
    if space.endpoint is None:
        return Check.failure("NoMessagingEndpoint", f"AddressSpace {space.ref} shows no messaging endpoint")
    plain, secure = space.endpoint.port("amqp"), space.endpoint.port("amqps")
    if was_secure and tls == "auto" and not (secure and space.certificate):
        missing = "CA in its status" if secure else "port named 'amqps'"
        return Check.failure(
            "TLSNotAvailable",
            f"AddressSpace {space.ref} shows no {missing} any more, and the connection was delivered over TLS; it "
            "stays as it is. To allow plain text, set spec.tls to disabled",
        )
    if secure and (tls == "required" or (tls == "auto" and space.certificate)):
        return Transport("amqps", space.endpoint.host, secure, space.certificate)
    if tls == "required":
        return Check.failure(
            "NoTLSPort", f"AddressSpace {space.ref} has no port named 'amqps', and spec.tls is required; set it to auto"
        )
    if plain:
        return Transport("amqp", space.endpoint.host, plain)
    ports = ", ".join(f"{name} {number}" for name, number in space.endpoint.ports) or "none"
    disabled = "; spec.tls: disabled needs a port named 'amqp'" if secure and tls == "disabled" else ""
    return Check.failure("NoPort", f"AddressSpace {space.ref} has no port that can be used{disabled} (there: {ports})")


def can_connect(syndesis: Syndesis) -> Check:
    """Check that a Syndesis is installed, and is not a duplicate in its namespace."""
    if syndesis.status_reason == "Duplicate":
        return Check.failure(
            "SyndesisDuplicate", f"Syndesis {syndesis.ref} is a second one in its namespace; delete one of them"
        )
    if syndesis.phase != "Installed":
        return Check.failure(
            "SyndesisNotInstalled", f"Syndesis {syndesis.ref} has status.phase {syndesis.phase!r}, not 'Installed'"
        )
    return Check.success("SyndesisInstalled")


def user_ready(user: Document) -> Check:
    """Check that EnMasse has applied a MessagingUser to its login.

    The phase alone misleads: it stays Active while a change is not applied yet, and after an error. EnMasse has applied
    this generation only if the phase is Active, ``status.generation`` is the object's, and there is no message
    (observed on EnMasse 0.33.1).
    """
    status = _mapping(user.get("status"))
    if user["metadata"].get("deletionTimestamp"):
        return Check.failure("UserTerminating", "The MessagingUser is being deleted")
    if status.get("message"):
        return Check.failure("UserFailed", f"EnMasse says: {sanitized(status['message'], MAX_QUOTE)}")
    if status.get("phase") == "Active" and status.get("generation") == user["metadata"].get("generation"):
        username = sanitized(_mapping(user.get("spec")).get("username"), 255)
        return Check.success("UserActive", f"User {username!r} can log in")
    return Check.failure("UserPending", "EnMasse has not applied the MessagingUser yet")


def connection_ready(connection: Document, *, reconciled: bool) -> Check:
    """Check that Syndesis has a Connection. ``reconciled`` means that something reconciles Connections."""
    status = _mapping(connection.get("status"))
    metadata = connection["metadata"]
    if metadata.get("deletionTimestamp"):
        return Check.failure("ConnectionTerminating", "The Connection is being deleted")
    current = status.get("observedGeneration") in (None, NOT_WRITTEN, metadata.get("generation"))
    phase = status.get("phase")
    if phase == "Ready" and current:
        identifier = sanitized(status.get("connectionId") or "a connection", 255)
        return Check.success("ConnectionReady", f"Syndesis has it as {identifier}")
    if phase == "Error" and current:
        conditions = status.get("conditions")
        listed = [_mapping(condition) for condition in conditions] if isinstance(conditions, list) else []
        message = next((c.get("message") for c in listed if c.get("status") == "False"), None)
        return Check.failure("ConnectionFailed", f"Syndesis says: {sanitized(message or 'Error', MAX_QUOTE)}")
    pending = "Syndesis has not taken the Connection yet"
    if not reconciled:
        pending += "; no release of Syndesis takes Connections by itself (Syndesis issue 3692)"
    return Check.failure("ConnectionPending", pending)


def _mapping(value: object) -> Document:
    return value if isinstance(value, dict) else {}
