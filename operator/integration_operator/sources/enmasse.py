"""AddressSpace documents of every release, normalised.

Shapes differ by release: v1alpha1 and v1beta1, ``authenticationService`` as ``{type}`` (≤ 0.26) or ``{name}`` (≥ 0.27),
endpoint statuses with ``host``/``port`` (≤ 0.23) or ``externalHost``/``externalPorts``, ports in any order
(PortMap.java @0.33.1). Whatever is missing or of a wrong type becomes a fact about the space, never an exception: one
malformed space must not stop the others.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from integration_operator.api import names
from integration_operator.domain.pair import Ref
from integration_operator.domain.patterns import NamespacePatterns
from integration_operator.domain.platforms import DEFAULT_OPERATIONS, AddressSpace, Endpoint

Document = dict[str, Any]

OPERATIONS = frozenset({"send", "recv", "view", "manage"})
"""What a MessagingUser may be allowed (messagingusers.crd.yaml @0.33.1)."""

MESSAGING = "messaging"
"""The endpoint's name; two endpoints share the service of that name, so the service identifies nothing."""


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
    authentication = _mapping(spec.get("authenticationService"))
    return AddressSpace(
        ref=Ref(metadata.get("namespace", ""), metadata["name"]),
        uid=str(metadata.get("uid", "")),
        api_version=str(document.get("apiVersion") or "enmasse.io/v1beta1"),
        deleting="deletionTimestamp" in metadata,
        can_own=can_own,
        brokered=spec.get("type") == "brokered",
        ready=ready is True,
        endpoint=_endpoint(status.get("endpointStatuses"), defects),
        certificate=_certificate(status.get("caCert"), defects),
        authentication=_text(authentication.get("name")) or _text(authentication.get("type")),
        realm=_text(annotations.get(names.ENMASSE_REALM)),
        created_by=_text(annotations.get(names.ENMASSE_CREATED_BY)),
        allowed_namespaces=NamespacePatterns.parse(str(annotations.get(names.ALLOWED_NAMESPACES) or "")),
        allowed_operations=_operations(annotations.get(names.ALLOWED_OPERATIONS)),
        enable_new=annotations.get(names.ENABLE_NEW) == "true",
        messages=tuple(str(m) for m in _sequence(status.get("messages"))),
        defects=tuple(defects),
    )


def authentication_type(document: Document) -> str:
    """``none``, ``standard`` or ``external``: what an AuthenticationService says that it is."""
    return str(_mapping(document.get("spec")).get("type") or "")


def _operations(text: object) -> frozenset[str]:
    """Read the operations that other namespaces may ask for; an unknown word allows nothing."""
    if text is None:
        return DEFAULT_OPERATIONS
    return frozenset(part.strip() for part in str(text).split(",")) & OPERATIONS


def _endpoint(statuses: object, defects: list[str]) -> Endpoint | None:
    if statuses is not None and not isinstance(statuses, list):
        defects.append("status.endpointStatuses is not a list")
    for entry in _sequence(statuses):
        found = _mapping(entry)
        if found.get("name") != MESSAGING:
            continue
        host = _text(found.get("serviceHost"))
        if host is None:
            return None
        ports = {}
        for item in _sequence(found.get("servicePorts")):
            port = _mapping(item)
            name, number = _text(port.get("name")), port.get("port")
            if name and isinstance(number, int) and not isinstance(number, bool) and 0 < number < 65536:
                ports[name] = number
            else:
                defects.append("a port of the endpoint 'messaging' has no name or no number")
        return Endpoint(host, tuple(sorted(ports.items())))
    return None


def _certificate(encoded: object, defects: list[str]) -> str | None:
    """The CA as PEM; ``status.caCert`` is base64 of it (EndpointController.java:153 @0.33.1)."""
    if not encoded:
        return None
    try:
        pem = base64.b64decode(str(encoded), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        defects.append("status.caCert is not base64 of PEM")
        return None
    return pem


def _mapping(value: object) -> Document:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value.strip() or None if isinstance(value, str) else None
