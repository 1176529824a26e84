"""Syndesis documents of every release, normalised. The status has the same fields in all of them."""

from __future__ import annotations

from typing import Any

from integration_operator.api import names
from integration_operator.domain.model.patterns import NamespacePatterns
from integration_operator.domain.model.platforms import Syndesis
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.text import sanitized

MAX_WORD = 64
"""Bytes of a phase or a reason, such as ``Installed``, ``StartupFailed``, ``Duplicate``."""

MAX_USER_NAME = 253
"""Characters of a user name, as for an AddressSpace, with which it is compared."""


def syndesis(document: dict[str, Any]) -> Syndesis:
    """Normalise a Syndesis; ``apiVersion`` is that of the live object, as an owner reference needs."""
    metadata = document["metadata"]
    annotations, status = _mapping(metadata.get("annotations")), _mapping(document.get("status"))
    accepted = annotations.get(names.ACCEPT_FROM)
    return Syndesis(
        ref=Ref(metadata.get("namespace", ""), metadata["name"]),
        uid=str(metadata.get("uid", "")),
        api_version=str(document.get("apiVersion") or "syndesis.io/v1beta3"),
        deleting="deletionTimestamp" in metadata,
        phase=_word(status.get("phase")),
        status_reason=_word(status.get("reason")),
        created_by=_user(annotations.get(names.SYNDESIS_CREATED_BY)),
        native_connections=annotations.get(names.CONNECTION_DELIVERY) == "native",
        accept_from=None if accepted is None else NamespacePatterns.parse(str(accepted)),
        enable_new=annotations.get(names.ENABLE_NEW) == "true",
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _word(value: object) -> str:
    return sanitized(value, MAX_WORD) if isinstance(value, str) else ""


def _user(value: object) -> str | None:
    name = value.strip() if isinstance(value, str) else ""
    return name if name and len(name) <= MAX_USER_NAME and name.isprintable() else None
