"""What the connection controller says of a Connection. Pure."""

from __future__ import annotations

from typing import Any

from integration_operator.domain.text import sanitized
from integration_operator.domain.verdict import Verdict

Document = dict[str, Any]


def status_of(
    before: Document,
    ready: Verdict,
    *,
    generation: int,
    now: str,
    connection_id: str | None = None,
    credentials: str = "",
    stored: str = "",
    verified: Verdict | None = None,
) -> Document:
    """Return the desired status; ``now`` (RFC 3339) is used only if something changed."""
    old: Document = next((c for c in before.get("conditions") or () if c.get("type") == "Ready"), {})
    wanted = "True" if ready else "False"
    condition = {
        "type": "Ready",
        "status": wanted,
        "reason": ready.reason,
        "message": sanitized(ready.message),
        "lastTransitionTime": old.get("lastTransitionTime", now) if old.get("status") == wanted else now,
        "observedGeneration": generation,
    }
    status: Document = {
        "phase": "Ready" if ready else "Pending" if ready.reason in PENDING else "Error",
        "observedGeneration": generation,
        "conditions": [condition],
    }
    if identifier := connection_id or before.get("connectionId"):
        status["connectionId"] = identifier
    if hashed := credentials or before.get("credentialsHash"):
        status["credentialsHash"] = hashed
    if hashed := stored or before.get("storedHash"):
        status["storedHash"] = hashed
    tried = before.get("lastVerified")
    if verified is not None:
        tried = _tried(verified, tried, now)
    if tried:
        status["lastVerified"] = tried
    return status


PENDING = frozenset({"NoSyndesis", "ValueMissing"})
"""What passes once somebody else has done their part."""


def _tried(verified: Verdict, before: Document | None, now: str) -> Document:
    """Return the outcome of a trial; the same one keeps its time, so that it is not written again."""
    found = {"status": "OK" if verified else "ERROR", "message": sanitized(verified.message)}
    if before and {key: before.get(key) for key in found} == found:
        return before
    return {**found, "time": now}
