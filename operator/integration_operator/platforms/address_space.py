"""AddressSpace documents of every release, normalised.

Shapes differ by release: v1alpha1 and v1beta1, ``authenticationService`` as ``{type}`` (≤ 0.26) or ``{name}`` (≥ 0.27),
endpoint statuses with ``host``/``port`` (≤ 0.23) or ``externalHost``/``externalPorts``, ports in any order
(PortMap.java @0.33.1). A field that is missing or has a wrong type is recorded in the model and never raises: one
malformed space must not affect others.

The kind has no status subresource, so a tenant can write the status. Each value is therefore checked for characters and
length, so that it is safe in a URI, a path, an index and a condition. An invalid value is a defect, which names the
field and never quotes the value.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Literal

from integration_operator.api import names
from integration_operator.domain.model.patterns import NamespacePatterns
from integration_operator.domain.model.platforms import DEFAULT_OPERATIONS, AddressSpace, Endpoint
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.text import sanitized

Document = dict[str, Any]

OPERATIONS = frozenset({"send", "recv", "view", "manage"})
"""Operations of a MessagingUser (messagingusers.crd.yaml @0.33.1)."""

MESSAGING = "messaging"
"""The name of the service, and the default name of its endpoint."""

MAX_MESSAGES, MAX_STATUS_MESSAGE = 5, 150
"""Number and bytes of the ``status.messages`` in use; with the name of the space they fit into a message of 1 KiB."""

HOST = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
"""A host name or an IPv4 address (RFC 1123, section 2.1)."""

PORT_NAME = re.compile(r"[a-z0-9-]{1,63}")
"""A port name. EnMasse uses ``amqp``, ``amqps``, ``amqp-wss``, ``mqtt``, ``secure-mqtt``, ``https``."""

MAX_PORTS = 16
"""Ports of one service; EnMasse's services have up to six."""

MAX_CERTIFICATES = 64 * 1024
"""Characters of base64. A certificate has 1 to 3 KiB, and Syndesis reads only the first (CertificateUtil.java:61)."""

RESOURCE_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
"""The name of an AuthenticationService: a DNS subdomain."""

REALM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
"""A realm name. EnMasse uses up to 60 of ``[a-z0-9-]`` (KubeUtil.java:31-61 @0.30.3); Keycloak's column has 255."""

MAX_USER_NAME = 253
"""Characters of a user name (service account, e-mail address). OpenShift accepts nearly any character."""


def address_space(document: Document, *, can_own: bool = True) -> AddressSpace:
    """Normalise an AddressSpace; ``can_own`` is True if its uid is valid in an owner reference."""
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


def external_endpoint(document: Document) -> Endpoint | None:
    """Return the messaging endpoint for clients outside the cluster, such as a Route; None if there is none.

    The operator does not use it: only a user who tests a connection from outside does.
    """
    spec, status = _mapping(document.get("spec")), _mapping(document.get("status"))
    return _endpoint(status.get("endpointStatuses"), _endpoint_names(spec.get("endpoints")), [], "external")


def authentication_type(document: Document) -> str:
    """Return the type of an AuthenticationService: ``none``, ``standard`` or ``external``."""
    return _text(_mapping(document.get("spec")).get("type")) or ""


def _operations(text: object) -> frozenset[str]:
    """Parse the operations that other namespaces may request; an unknown one is ignored."""
    if text is None:
        return DEFAULT_OPERATIONS
    return frozenset(part.strip() for part in str(text).split(",")) & OPERATIONS


def _endpoint_names(endpoints: object) -> list[str]:
    """Return the names of endpoints of the service ``messaging`` in the spec, the default name first.

    All of them have the host and ports of one Service. A tenant names endpoints; if the spec has none, EnMasse uses
    default names (KubeSchemaApi.java:196-198 @0.33.1).
    """
    entries = [_mapping(entry) for entry in _sequence(endpoints)]
    endpoint_names = [
        name for entry in entries if entry.get("service") == MESSAGING and (name := _text(entry.get("name")))
    ]
    return sorted(endpoint_names, key=lambda name: name != MESSAGING) or [MESSAGING]


def _endpoint(
    statuses: object, endpoint_names: list[str], defects: list[str], scope: Literal["service", "external"] = "service"
) -> Endpoint | None:
    if statuses is not None and not isinstance(statuses, list):
        defects.append("status.endpointStatuses is not a list")
    by_name: dict[str, Document] = {}
    for entry in map(_mapping, _sequence(statuses)):
        if (name := _text(entry.get("name"))) is not None:
            by_name.setdefault(name, entry)
    candidates = (by_name[name] for name in endpoint_names if name in by_name)
    status = next((entry for entry in candidates if entry.get(f"{scope}Host")), None)
    if status is None:
        return None
    host = _matching(status.get(f"{scope}Host"), HOST, f"{scope}Host of the messaging endpoint", defects)
    return Endpoint(host, _ports(status.get(f"{scope}Ports"), f"{scope}Ports", defects)) if host else None


def _ports(listed: object, field: str, defects: list[str]) -> tuple[tuple[str, int], ...]:
    """Return the valid ports by name. An invalid port is a defect only if it is ``amqp`` or ``amqps``."""
    if listed is not None and not isinstance(listed, list):
        defects.append(f"{field} of the messaging endpoint is not a list")
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
    """Return the CA as PEM; ``status.caCert`` is its base64 (EndpointController.java:153 @0.33.1)."""
    if not encoded:
        return None
    defect = "status.caCert is not base64 of PEM certificates"
    if not isinstance(encoded, str) or len(encoded) > MAX_CERTIFICATES:
        defects.append(defect)
        return None
    from cryptography import x509  # not needed before an AddressSpace has a CA

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
        defects.append(f"annotation {names.ENMASSE_CREATED_BY} is not a user name")
        return None
    return name


def _messages(messages: object) -> tuple[str, ...]:
    texts = [text for text in _sequence(messages) if _text(text)]
    return tuple(sanitized(text, MAX_STATUS_MESSAGE) for text in texts[:MAX_MESSAGES])


def _matching(value: object, pattern: re.Pattern[str], field: str, defects: list[str]) -> str | None:
    """Return a text that matches the pattern, None otherwise; record a defect if it does not match."""
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
