"""The credential in a rendered document: a template that drops or changes it would lock every connection out."""

from __future__ import annotations

from typing import Any

from integration_operator.api import names
from integration_operator.domain.model.credential import encode
from integration_operator.domain.plan.manifests import TemplateName

Document = dict[str, Any]

Fault = tuple[tuple[str, ...], str]
"""Path and reason of an error in a document. The reason quotes no value."""


def credential_fault(name: TemplateName, document: Document, variables: Document) -> Fault | None:
    """Return the first field that does not hold the credential as it must.

    A Secret and a MessagingUser hold it; a Connection refers to the Secret for the password.
    """
    if name == "connection":
        return _reference_fault(document, variables["secret"])
    credential = variables.get("credential")
    if credential is None:
        return None
    username, password = credential["username"], encode(credential["password"])
    if name == "secret":
        expected: dict[tuple[str, ...], str] = {
            ("data", names.USERNAME_KEY): encode(username),
            ("data", names.PASSWORD_KEY): password,
        }
    else:
        expected = {("spec", "username"): username, ("spec", "authentication", "password"): password}
    return next((_fault(path) for path, value in expected.items() if _value(document, path) != value), None)


def _fault(path: tuple[str, ...]) -> Fault:
    return path, f"{'.'.join(path)} must hold the credential"


def _reference_fault(document: Document, secret: Document) -> Fault | None:
    path = ("spec", "configuredPropertiesFrom")
    entries = _value(document, path)
    references = [_value(entry, ("secretKeyRef",)) for entry in entries] if isinstance(entries, list) else []
    if {"name": secret["name"], "key": secret["passwordKey"]} in references:
        return None
    return path, "spec.configuredPropertiesFrom must take the password from the Secret"


def _value(node: object, path: tuple[str, ...]) -> object:
    for part in path:
        if not isinstance(node, dict):
            return None
        node = node.get(part)
    return node
