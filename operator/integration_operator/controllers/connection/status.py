"""The status of a Connection, built with its API model."""

from __future__ import annotations

from typing import Any

from integration_operator.api.connection import ConnectionStatus
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.conditions import progress
from integration_operator.runtime.conditions import Condition, condition_documents
from integration_operator.runtime.text import sanitized

Document = dict[str, Any]

PENDING = frozenset({"NoSyndesis", "ValueMissing"})
"""Reasons that pass when another component has done its part."""


def connection_status(
    before: Document,
    ready: Check,
    *,
    generation: int,
    now: str,
    connection_id: str | None = None,
    credentials: str = "",
    stored: str = "",
    verified: Check | None = None,
) -> Document:
    """Return the desired status as a document. ``now`` (RFC 3339) is used only for what changed."""
    summary = Condition("Ready", "True" if ready else "False", ready.reason, sanitized(ready.message))
    conditions = (summary, *progress((summary,), something_left=False))
    status = ConnectionStatus.model_validate(
        {
            "phase": "Ready" if ready else "Pending" if ready.reason in PENDING else "Error",
            "observed_generation": generation,
            "conditions": condition_documents(
                conditions, before.get("conditions") or (), generation=generation, now=now
            ),
            "connection_id": connection_id or before.get("connectionId") or None,
            "credentials_hash": credentials or before.get("credentialsHash") or None,
            "stored_hash": stored or before.get("storedHash") or None,
            "last_verified": _last_verified(verified, before.get("lastVerified"), now),
        }
    )
    return status.model_dump(by_alias=True, exclude_none=True, mode="json")


def _last_verified(verified: Check | None, before: Document | None, now: str) -> Document | None:
    """Return the last verification; one with the same result keeps its time, so that it is not written again."""
    if verified is None:
        return before or None
    result = {"status": "OK" if verified else "ERROR", "message": sanitized(verified.message)}
    if before and {key: before.get(key) for key in result} == result:
        return before
    return {**result, "time": now}
