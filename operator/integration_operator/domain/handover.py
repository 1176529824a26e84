"""A connection between two keepers: over REST, and whoever reconciles its Connection. It is one, under one id."""

from __future__ import annotations

from typing import Any

from integration_operator.api import names
from integration_operator.domain.live import Live

Document = dict[str, Any]


def written_id(connection: Live | None) -> str | None:
    """Return the id of the connection that a Connection of ours takes over."""
    spec = connection.document.get("spec") or {} if connection is not None else {}
    return spec.get("connectionId")


def taken_id(connection: Live) -> str | None:
    """The id of the connection that stands behind a Connection."""
    return (connection.document.get("status") or {}).get("connectionId") or written_id(connection)


def with_id(document: Document, identifier: str) -> Document:
    """The Connection that takes over the connection of that id."""
    return {**document, "spec": {**document["spec"], "connectionId": identifier}}


def handed_over(document: Document, live: Live) -> Document:
    """The Connection as it is on its way out: whoever reconciles it leaves the connection in Syndesis alone."""
    metadata = document["metadata"]
    annotations = {**metadata["annotations"], names.HANDED_OVER: "rest"}
    handed = {**document, "metadata": {**metadata, "annotations": annotations}}
    written = written_id(live)
    return with_id(handed, written) if written else handed
