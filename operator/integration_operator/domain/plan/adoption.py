"""A connection that changes hands between REST and a Connection resource: it stays one, under one id."""

from __future__ import annotations

from typing import Any

from integration_operator.api import names
from integration_operator.runtime.live_object import LiveObject

Document = dict[str, Any]


def specified_id(connection: LiveObject | None) -> str | None:
    """Return the id in the spec of our Connection: that of the connection that it adopts."""
    spec = connection.document.get("spec") or {} if connection is not None else {}
    identifier = spec.get("connectionId")
    return str(identifier) if identifier is not None else None


def adopted_id(connection: LiveObject) -> str | None:
    """Return the id of a Connection's connection in Syndesis."""
    return (connection.document.get("status") or {}).get("connectionId") or specified_id(connection)


def with_id(document: Document, identifier: str) -> Document:
    """Return a Connection that adopts the connection of an id."""
    return {**document, "spec": {**document["spec"], "connectionId": identifier}}


def released_to_rest(document: Document, live: LiveObject) -> Document:
    """Return a Connection before its deletion: whoever reconciles it leaves the connection in Syndesis alone."""
    metadata = document["metadata"]
    annotations = {**metadata["annotations"], names.HANDED_OVER: "rest"}
    released = {**document, "metadata": {**metadata, "annotations": annotations}}
    identifier = specified_id(live)
    return with_id(released, identifier) if identifier else released
