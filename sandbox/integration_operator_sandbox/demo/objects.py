"""Objects of the demo: where they are, and what the table shows of them."""

from __future__ import annotations

from base64 import b64decode
from typing import Any

from integration_operator.domain.model import naming
from integration_operator_sandbox.examples import NAMESPACE, PAIR

Document = dict[str, Any]


INTEGRATION = naming.integration_name(PAIR)
USERS = f"/apis/user.enmasse.io/v1beta1/namespaces/{NAMESPACE}/messagingusers"
OBJECTS = {
    "AddressSpace": f"/apis/enmasse.io/v1beta1/namespaces/{NAMESPACE}/addressspaces/orders",
    "Integration": f"/apis/integreatly.org/v1alpha1/namespaces/{NAMESPACE}/integrations/{INTEGRATION}",
    "Secret": f"/api/v1/namespaces/{NAMESPACE}/secrets/{naming.secret_name(PAIR)}",
    "MessagingUser": f"{USERS}/{naming.user_ref(PAIR).name}",
    "Connection": f"/apis/syndesis.io/v1alpha1/namespaces/{NAMESPACE}/connections/{INTEGRATION}",
}
CHILDREN = ("Secret", "MessagingUser", "Connection")


def document_of(
    api_version: str, kind: str, name: str, spec: Document, annotations: dict[str, str] | None = None
) -> Document:
    """Return an object in the demo's namespace."""
    metadata = {"name": name, "namespace": NAMESPACE, "annotations": annotations or {}}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec}


def part(document: Document | None, key: str) -> Document:
    """Return a field of an object; empty if either is absent."""
    return (document or {}).get(key) or {}


def secret_text(secret: Document, key: str) -> str:
    """Return a value of a Secret, decoded."""
    return b64decode(secret["data"].get(key, "")).decode()


def ready_reason(integration: Document | None) -> str:
    """Return the reason of the condition Ready, or of the one in its place; empty if there is none."""
    return str(part(integration, "status").get("reason", ""))


def name_of(found: Document | None) -> str:
    """Return the name of an object for the table."""
    return str(found["metadata"]["name"]) if found else "–"


def state_of(kind: str, found: Document | None) -> str:
    """Return the state of an object in a few words, for the table."""
    if found is None:
        return ""
    if "deletionTimestamp" in found["metadata"]:
        return "being deleted"
    status, spec = part(found, "status"), part(found, "spec")
    if kind == "AddressSpace":
        return "ready" if status.get("isReady") else "not ready"
    if kind == "Integration":
        enabled = "enabled" if spec.get("enabled") else "disabled"
        return f"{enabled}, {status.get('phase') or '–'}, {ready_reason(found) or '–'}"
    if kind == "Secret":
        return "username, password"
    if kind == "MessagingUser":
        return str(status.get("phase") or "–")
    return f"{status.get('phase') or '–'}, {(spec.get('configuredProperties') or {}).get('connectionUri', '')}"
