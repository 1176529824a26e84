"""The status of an Integration, from what was decided for its pair."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from integration_operator.domain.conditions import LONGEST_CONDITION, Finding, as_conditions
from integration_operator.domain.decisions import Decision, Delivered
from integration_operator.domain.integration import Integration
from integration_operator.domain.remote import Remote
from integration_operator.domain.text import sanitized

Document = dict[str, Any]

KEYS = ("phase", "statusMessage", "observedGeneration", "conditions", "delivered")
META = ("msgHost",)
"""The fields of the status that are ours, and those of ``metaData``, which keeps what the proof of concept wrote
beside. The realm is not among them: it is the giver's, and Integrations are the receiver's."""


def status_of(integration: Integration, decision: Decision, findings: Sequence[Finding], now: str) -> Document:
    """Return the desired status; ``findings`` has ``Ready`` in front, ``now`` is RFC 3339."""
    ready = findings[0]
    conditions = as_conditions(
        findings, integration.status.get("conditions") or (), generation=integration.generation, now=now
    )
    status: Document = {
        "phase": _phase(integration, findings),
        "statusMessage": sanitized(ready.message, LONGEST_CONDITION),
        "observedGeneration": integration.generation,
        "conditions": conditions,
    }
    # An empty mapping is left out: server-side apply makes null of a mapping that loses all its fields.
    if delivered := _delivered(decision.delivered):
        status["delivered"] = delivered
    if decision.delivered.host:
        status["metaData"] = {"msgHost": decision.delivered.host}
    return status


def status_changed(live: Document, wanted: Document) -> bool:
    """Check if the fields that are ours differ between the live status and the desired one."""
    meta, wanted_meta = live.get("metaData") or {}, wanted.get("metaData") or {}
    if any(meta.get(key) != wanted_meta.get(key) for key in META):
        return True
    return any(live.get(key) != wanted.get(key) for key in KEYS)


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


def _noted(side: Remote) -> Document:
    """Return what a later look at the status needs to know of a side over REST."""
    noted = {"delivery": side.delivery, "appliedHash": side.applied, "credentialsHash": side.credentials}
    bound = {"platform": side.platform, "storedHash": side.stored}
    return {**noted, **{key: value for key, value in bound.items() if value}}


def _delivered(delivered: Delivered) -> Document:
    found: Document = {}
    if (over_rest := delivered.user_over_rest) is not None:
        found["user"] = {**_noted(over_rest), "username": over_rest.id or delivered.username}
    elif delivered.user is not None:
        found["user"] = {
            "delivery": "native",
            "namespace": delivered.user.namespace,
            "name": delivered.user.name,
            "username": delivered.username,
        }
    if (over_rest := delivered.connection_over_rest) is not None:
        found["connection"] = {**_noted(over_rest), "id": over_rest.id}
    elif delivered.connection is not None:
        found["connection"] = {"delivery": "native", "name": delivered.connection.name}
        if delivered.connection_id:
            found["connection"]["id"] = delivered.connection_id
    if delivered.uri is not None and "connection" in found:
        found["connection"]["uri"] = delivered.uri
    if delivered.secret is not None:
        found["secretName"] = delivered.secret
    if delivered.source is not None:
        found["source"] = delivered.source
    return found
