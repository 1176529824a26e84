"""Objects as the API server has them: their paths, and what tests write into them and read from them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from integration_operator_sandbox.platforms.enmasse import CERTIFICATE

Document = dict[str, Any]

PATHS = {
    "AddressSpace": ("/apis/enmasse.io/v1beta1", "addressspaces"),
    "AuthenticationService": ("/apis/admin.enmasse.io/v1beta1", "authenticationservices"),
    "MessagingUser": ("/apis/user.enmasse.io/v1beta1", "messagingusers"),
    "Syndesis": ("/apis/syndesis.io/v1beta3", "syndesises"),
    "Connection": ("/apis/syndesis.io/v1alpha1", "connections"),
    "Integration": ("/apis/integreatly.org/v1alpha1", "integrations"),
    "Secret": ("/api/v1", "secrets"),
    "Event": ("/api/v1", "events"),
}


def path(kind: str, namespace: str | None = None, name: str | None = None) -> str:
    """Return the path of a collection or of an object."""
    root, plural = PATHS[kind]
    inside = f"{root}/namespaces/{namespace}/{plural}" if namespace else f"{root}/{plural}"
    return f"{inside}/{name}" if name else inside


def space_status(host: str = "messaging-a1.enmasse-infra.svc", *, ca: bool = True) -> Document:
    """Return the status of a ready AddressSpace, as EnMasse 0.33 writes it."""
    ports = [{"name": "amqp-wss", "port": 443}, {"name": "amqps", "port": 5671}, {"name": "amqp", "port": 5672}]
    status: Document = {
        "isReady": True,
        "phase": "Active",
        "endpointStatuses": [
            {"name": "messaging-wss", "serviceHost": host, "servicePorts": ports},
            {"name": "messaging", "serviceHost": host, "servicePorts": ports},
        ],
    }
    if ca:
        status["caCert"] = base64.b64encode(CERTIFICATE.encode()).decode()
    return status


def decoded(secret: Document) -> dict[str, str]:
    """Return the data of a Secret as text."""
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def condition(integration: Document, type_: str) -> Document:
    """Return one condition of an Integration, empty if there is none."""
    found = (integration.get("status") or {}).get("conditions") or []
    return next((c for c in found if c["type"] == type_), {})


def reason(integration: Document, type_: str = "Ready") -> str:
    """Return the reason of one condition; of Disabled or Suspended, if one of these takes the place of Ready."""
    types = ("Ready", "Disabled", "Suspended") if type_ == "Ready" else (type_,)
    return next((str(c["reason"]) for name in types if (c := condition(integration, name))), "")


def encoded(text: str) -> str:
    """Return text as a value in the data of a Secret."""
    return base64.b64encode(text.encode()).decode()


def secret_data(values: Mapping[str, str]) -> dict[str, str]:
    """Return the data of a Secret with these values."""
    return {key: encoded(value) for key, value in values.items()}
