"""Syndesis documents of every release, normalised. The status has the same names in all of them."""

from __future__ import annotations

from typing import Any

from integration_operator.api import names
from integration_operator.domain.pair import Ref
from integration_operator.domain.patterns import NamespacePatterns
from integration_operator.domain.platforms import Syndesis


def syndesis(document: dict[str, Any]) -> Syndesis:
    """Normalise one Syndesis; ``apiVersion`` is the live object's, because an owner reference needs one that is
    served.
    """
    metadata = document["metadata"]
    annotations = metadata.get("annotations") or {}
    accepted = annotations.get(names.ACCEPT_FROM)
    status = document.get("status")
    status = status if isinstance(status, dict) else {}
    creator = annotations.get(names.SYNDESIS_CREATED_BY)
    return Syndesis(
        ref=Ref(metadata.get("namespace", ""), metadata["name"]),
        uid=str(metadata.get("uid", "")),
        api_version=str(document.get("apiVersion") or "syndesis.io/v1beta3"),
        deleting="deletionTimestamp" in metadata,
        phase=str(status.get("phase") or ""),
        status_reason=str(status.get("reason") or ""),
        created_by=creator.strip() or None if isinstance(creator, str) else None,
        native_connections=annotations.get(names.CONNECTION_DELIVERY) == "native",
        accept_from=None if accepted is None else NamespacePatterns.parse(str(accepted)),
        enable_new=annotations.get(names.ENABLE_NEW) == "true",
    )
