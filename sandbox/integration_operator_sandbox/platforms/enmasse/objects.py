"""AddressSpaces and MessagingUsers as EnMasse reads and writes them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from integration_operator_sandbox.platforms.informer import Document, Key, key_of

REALM = "enmasse.io/realm-name"
INFRA_UUID = "enmasse.io/infra-uuid"
INFRA_NAMESPACE = "enmasse-infra"

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBDDCBv6ADAgECAgEBMAUGAytlcDAvMS0wKwYDVQQDDCRzaW11bGF0ZWQgRW5N
YXNzZSwgY2VydGlmaWVzIG5vdGhpbmcwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAx
MDEwMDAwMDBaMC8xLTArBgNVBAMMJHNpbXVsYXRlZCBFbk1hc3NlLCBjZXJ0aWZp
ZXMgbm90aGluZzAqMAUGAytlcAMhAGtCoTtnMsZkbzYKFAacGh2Zq8TQvij0Ai2J
QqUOt6U2MAUGAytlcANBAGuDiUyb8Q7RbCkX+LNT6ibyGHRCJ/x+doANGM1nF9LQ
YyQ9+JMqsoK40xb2r2HS0dDVkkYM3F/7CREr+Pt0/w0=
-----END CERTIFICATE-----
"""
"""A valid certificate whose private key was discarded."""


class Login(NamedTuple):
    """A user name in the realm of one AddressSpace."""

    namespace: str
    space: str
    username: str


@dataclass(frozen=True, slots=True)
class Messaging:
    """A real broker behind every AddressSpace: what their status shows, and what takes the logins.

    ``ports`` are by name. ``keep`` is called with all logins and their passwords whenever they change.
    """

    host: str
    ports: Mapping[str, int]
    ca: str
    keep: Callable[[Mapping[Login, str]], None]


def address_space_of(user: Key) -> Key:
    """Return the AddressSpace of a MessagingUser: the part of its name before the first dot."""
    return user[0], user[1].split(".")[0]


def realm_of(space: Document) -> str | None:
    """Return the realm of an AddressSpace, if it names one."""
    return (space["metadata"].get("annotations") or {}).get(REALM)


def status_of(document: Document) -> Document:
    """Return the status of an object; empty if it has none."""
    return document.get("status") or {}


def login_of(user: Document) -> Login:
    """Return the login that a MessagingUser stands for."""
    namespace, space = address_space_of(key_of(user))
    return Login(namespace, space, user["spec"]["username"])


def password_of(user: Document) -> str | None:
    """Return the password in plain text, empty if there is none; None if it is not base64."""
    encoded = ((user.get("spec") or {}).get("authentication") or {}).get("password") or ""
    try:
        # Go's decoder ignores line breaks, and nothing else.
        return base64.b64decode(encoded.replace("\n", "").replace("\r", ""), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return None


def ready_patch(space: Document, messaging: Messaging | None = None) -> Document:
    """Return the patch that makes an AddressSpace ready. It fails if the AddressSpace has changed meanwhile.

    Without a broker, the endpoint does not exist.
    """
    namespace, name = key_of(space)
    annotations = space["metadata"].get("annotations") or {}
    infra = annotations.get(INFRA_UUID) or hashlib.sha256(f"{namespace}.{name}".encode()).hexdigest()[:7]
    host = f"messaging-{infra}.{INFRA_NAMESPACE}.svc"
    ports = [{"name": "amqps", "port": 5671}, {"name": "amqp", "port": 5672}]
    if space["spec"]["type"] == "standard":
        ports.append({"name": "amqp-wss", "port": 443})
    certificate = CERTIFICATE
    if messaging is not None:
        host, certificate = messaging.host, messaging.ca
        ports = [{"name": name, "port": port} for name, port in messaging.ports.items()]
    return {
        "metadata": {
            "resourceVersion": space["metadata"]["resourceVersion"],
            "annotations": {REALM: annotations.get(REALM) or f"{namespace}-{name}", INFRA_UUID: infra},
        },
        "status": {
            "isReady": True,
            "phase": "Active",
            "messages": [],
            "caCert": base64.b64encode(certificate.encode()).decode(),
            "endpointStatuses": [
                {"name": endpoint, "serviceHost": host, "servicePorts": ports}
                for endpoint in ("messaging-wss", "messaging")
            ],
        },
    }
