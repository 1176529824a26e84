"""AddressSpace documents of every release, normalised.

Shapes differ by release: v1alpha1 and v1beta1, ``authenticationService`` as ``{type}`` (≤ 0.26) or ``{name}`` (≥ 0.27),
endpoint statuses with ``host``/``port`` (≤ 0.23) or ``externalHost``/``externalPorts``, ports in any order
(PortMap.java @0.33.1). Whatever is missing or of a wrong type becomes a fact about the space, never an exception: one
malformed space must not stop the others.

The kind has no status subresource, so a tenant writes all of it, status included. What is handed on is therefore of
the characters and the length that it may have, fit for a URI, a path, an index and a condition; anything else is a
defect that says which field, and never quotes it.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from cryptography import x509

from integration_operator.api import names
from integration_operator.domain.model.patterns import NamespacePatterns
from integration_operator.domain.model.platforms import DEFAULT_OPERATIONS, AddressSpace, Endpoint
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.text import sanitized

Document = dict[str, Any]

OPERATIONS = frozenset({"send", "recv", "view", "manage"})
"""What a MessagingUser may be allowed (messagingusers.crd.yaml @0.33.1)."""

MESSAGING = "messaging"
"""The name of the service, and of its endpoint unless the spec gives it another one."""

MAX_MESSAGES, MAX_STATUS_MESSAGE = 5, 150
"""What is shown of ``status.messages``; together with the name of the space they fit into a message of 1 KiB."""

HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
"""A host name or an IPv4 address (RFC 1123, section 2.1)."""

PORT_NAME = re.compile(r"[a-z0-9-]{1,63}")
"""EnMasse's are ``amqp``, ``amqps``, ``amqp-wss``, ``mqtt``, ``secure-mqtt``, ``https``."""

MAX_PORTS = 16
"""EnMasse's services have up to six."""

MAX_CERTIFICATES = 64 * 1024
"""Characters of base64. One certificate has 1 to 3 KiB, and Syndesis reads the first only (CertificateUtil.java:61)."""

RESOURCE_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
"""The name of an AuthenticationService: a DNS subdomain."""

REALM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
"""EnMasse's own are of ``[a-z0-9-]``, up to 60 characters (KubeUtil.java:31-61 @0.30.3); Keycloak's column has 255."""

MAX_USER_NAME = 253
"""Characters of a creator's name: names of service accounts, e-mail addresses; OpenShift takes nearly any character."""


def address_space(document: Document, *, can_own: bool = True) -> AddressSpace:
    """Normalise one AddressSpace; ``can_own`` says whether its uid may stand in an owner reference."""
    metadata = document["metadata"]
    annotations = _mapping(metadata.get("annotations"))
    spec, status = _mapping(document.get("spec")), _mapping(document.get("status"))
    defects: list[str] = []
    if document.get("status") is not None and not isinstance(document["status"], dict):
        defects.append("status is not an object")
    ready = status.get("isReady")
    if ready is not None and not isinstance(ready, bool):
        defects.append("status.isReady is not true or false")
    service = _mapping(spec.get("authenticationService"))
    name = _matching(service.get("name"), RESOURCE_NAME, "spec.authenticationService.name", defects)
    kind = _matching(service.get("type"), RESOURCE_NAME, "spec.authenticationService.type", defects)
    return AddressSpace(
        ref=Ref(metadata.get("namespace", ""), metadata["name"]),
        uid=str(metadata.get("uid", "")),
        api_version=str(document.get("apiVersion") or "enmasse.io/v1beta1"),
        deleting="deletionTimestamp" in metadata,
        can_own=can_own,
        brokered=spec.get("type") == "brokered",
        ready=ready is True,
        endpoint=_endpoint(status.get("endpointStatuses"), _endpoint_names(spec.get("endpoints")), defects),
        certificate=_certificates(status.get("caCert"), defects),
        authentication=name or kind,
        authentication_type=kind,
        realm=_matching(annotations.get(names.ENMASSE_REALM), REALM, f"annotation {names.ENMASSE_REALM}", defects),
        created_by=_user(annotations.get(names.ENMASSE_CREATED_BY), defects),
        allowed_namespaces=NamespacePatterns.parse(_text(annotations.get(names.ALLOWED_NAMESPACES)) or ""),
        allowed_operations=_operations(annotations.get(names.ALLOWED_OPERATIONS)),
        enable_new=annotations.get(names.ENABLE_NEW) == "true",
        messages=_messages(status.get("messages")),
        defects=tuple(dict.fromkeys(defects)),
    )


def authentication_type(document: Document) -> str:
    """Return ``none``, ``standard`` or ``external``: what an AuthenticationService says that it is."""
    return _text(_mapping(document.get("spec")).get("type")) or ""


def _operations(text: object) -> frozenset[str]:
    """Read the operations that other namespaces may ask for; an unknown word allows nothing."""
    if text is None:
        return DEFAULT_OPERATIONS
    return frozenset(part.strip() for part in str(text).split(",")) & OPERATIONS


def _endpoint_names(endpoints: object) -> list[str]:
    """Return the names that the spec gives to endpoints of the service ``messaging``, the usual one first.

    All of them show the same service host and ports (facts of one Service). A tenant names endpoints; EnMasse fills
    them in under their usual names if the spec has none (KubeSchemaApi.java:196-198 @0.33.1).
    """
    entries = [_mapping(entry) for entry in _sequence(endpoints)]
    given = [name for entry in entries if entry.get("service") == MESSAGING and (name := _text(entry.get("name")))]
    return sorted(given, key=lambda name: name != MESSAGING) or [MESSAGING]


def _endpoint(statuses: object, wanted: list[str], defects: list[str]) -> Endpoint | None:
    if statuses is not None and not isinstance(statuses, list):
        defects.append("status.endpointStatuses is not a list")
    shown: dict[str, Document] = {}
    for entry in map(_mapping, _sequence(statuses)):
        if (name := _text(entry.get("name"))) is not None:
            shown.setdefault(name, entry)
    found = next((shown[name] for name in wanted if name in shown and shown[name].get("serviceHost")), None)
    if found is None:
        return None
    host = _matching(found.get("serviceHost"), HOST, "serviceHost of the messaging endpoint", defects)
    return Endpoint(host, _ports(found.get("servicePorts"), defects)) if host else None


def _ports(listed: object, defects: list[str]) -> tuple[tuple[str, int], ...]:
    """Return the usable ports by name. One that is not usable is a defect only if it is one that matters here."""
    if listed is not None and not isinstance(listed, list):
        defects.append("servicePorts of the messaging endpoint is not a list")
    ports: dict[str, int] = {}
    for port in map(_mapping, _sequence(listed)):
        name, number = _text(port.get("name")), port.get("port")
        if name is None or not PORT_NAME.fullmatch(name):
            continue
        if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 65536:
            if len(ports) < MAX_PORTS or name in ("amqp", "amqps"):
                ports[name] = number
        elif name in ("amqp", "amqps"):
            defects.append(f"port {name} of the messaging endpoint is not a number from 1 to 65535")
    return tuple(sorted(ports.items()))


def _certificates(encoded: object, defects: list[str]) -> str | None:
    """Return the CA as PEM; ``status.caCert`` is base64 of it (EndpointController.java:153 @0.33.1)."""
    if not encoded:
        return None
    defect = "status.caCert is not base64 of certificates in PEM"
    if not isinstance(encoded, str) or len(encoded) > MAX_CERTIFICATES:
        defects.append(defect)
        return None
    try:
        pem = base64.b64decode(encoded, validate=True).decode("ascii")
        x509.load_pem_x509_certificates(pem.encode())
    except (binascii.Error, ValueError):
        defects.append(defect)
        return None
    if not "".join(pem.split()).isprintable():
        defects.append(defect)
        return None
    return pem


def _user(value: object, defects: list[str]) -> str | None:
    name = _text(value)
    if name is not None and (len(name) > MAX_USER_NAME or not name.isprintable()):
        defects.append(f"annotation {names.ENMASSE_CREATED_BY} is not a user's name")
        return None
    return name


def _messages(listed: object) -> tuple[str, ...]:
    texts = [text for text in _sequence(listed) if _text(text)]
    return tuple(sanitized(text, MAX_STATUS_MESSAGE) for text in texts[:MAX_MESSAGES])


def _matching(value: object, pattern: re.Pattern[str], field: str, defects: list[str]) -> str | None:
    """Return a text that has the form that it must have; None if there is none, and with a defect if it has not."""
    text = _text(value)
    if text is None and (value is None or isinstance(value, str)):
        return None
    if text is None or not pattern.fullmatch(text):
        defects.append(f"{field} is malformed")
        return None
    return text


def _mapping(value: object) -> Document:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
