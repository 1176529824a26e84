"""The status of an Integration, from what was decided for its pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integration_operator.domain.conditions import Finding, as_conditions
from integration_operator.domain.decisions import Decision, Delivered
from integration_operator.domain.integration import Integration

Document = dict[str, Any]

KEYS = ("phase", "statusMessage", "metaData", "observedGeneration", "conditions", "delivered")
"""The fields of the status that are ours; ``metaData`` keeps what the proof of concept wrote beside ours."""


def status_of(integration: Integration, decision: Decision, findings: Sequence[Finding], now: str) -> Document:
    """The status that is wanted; ``findings`` has ``Ready`` in front, ``now`` is RFC 3339."""
    ready = findings[0]
    conditions = as_conditions(
        findings, integration.status.get("conditions") or (), generation=integration.generation, now=now
    )
    status: Document = {
        "phase": _phase(integration, findings),
        "statusMessage": ready.message,
        "observedGeneration": integration.generation,
        "conditions": conditions,
        "delivered": _delivered(decision.delivered),
    }
    meta = {"msgHost": decision.delivered.host, "realm": decision.delivered.realm}
    status["metaData"] = {key: value for key, value in meta.items() if value}
    return status


def status_changed(live: Document, wanted: Document) -> bool:
    """Whether the status that is there says anything else than the wanted one in the fields that are ours."""
    for key, value in wanted.items():
        there = live.get(key)
        if key == "metaData":
            if any((there or {}).get(k) != v for k, v in value.items()):
                return True
        elif there != value:
            return True
    return False


def _phase(integration: Integration, findings: Sequence[Finding]) -> str:
    """The proof of concept's word for it (its types.go): ``accepted``, ``integrating``, ``complete``, or nothing
    yet.
    """
    ready = findings[0]
    paired = any(f.type == "Paired" and f.status == "True" for f in findings)
    if ready.status == "True":
        return "complete"
    if not paired:
        return ""
    return "integrating" if integration.enabled else "accepted"


def _delivered(delivered: Delivered) -> Document:
    found: Document = {}
    if delivered.user is not None:
        found["user"] = {
            "delivery": "native",
            "namespace": delivered.user.namespace,
            "name": delivered.user.name,
            "username": delivered.username,
        }
    if delivered.connection is not None:
        found["connection"] = {"delivery": "native", "name": delivered.connection.name}
        if delivered.connection_id:
            found["connection"]["id"] = delivered.connection_id
    if delivered.secret is not None:
        found["secretName"] = delivered.secret
    return found
