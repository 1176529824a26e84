"""What the operator says of a pair: conditions with stable reasons, and the events that a change of them is worth.

Conditions are computed from facts each time and written only where they changed; the transition time moves only when
the status of a condition does (apimachinery's meta.SetStatusCondition).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from integration_operator.api import names
from integration_operator.domain.integration import Integration
from integration_operator.domain.text import sanitized
from integration_operator.domain.verdict import Verdict

Type = Literal[
    "Ready",
    "Paired",
    "CredentialsReady",
    "UserReady",
    "ConnectionReady",
    "DeliveryChosen",
    "ConnectionVerified",
    "RotationReady",
]
Status = Literal["True", "False", "Unknown"]
Document = dict[str, Any]

ORDER: tuple[Type, ...] = ("Paired", "CredentialsReady", "UserReady", "ConnectionReady")
"""The way of a pair: each of these stands on the one before."""

INFORMATIVE: tuple[Type, ...] = ("DeliveryChosen", "ConnectionVerified", "RotationReady")
"""What is told besides; ``Ready`` does not depend on it."""

PROGRESS = frozenset({"Waiting", "UserPending", "ConnectionPending", "UserTerminating", "ConnectionTerminating"})
"""Reasons that pass by themselves; no event tells of them."""

LONGEST_CONDITION = 2048
"""Bytes of a condition's message: a foreign text of 1 KiB and our own words around it. Eight of them stay far below the
32,768 that metav1.Condition allows for one."""

CALM = frozenset({"NotEnabled", "Suspended"})
"""Reasons for not being Ready that a user chose."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One condition before it meets what was said last time: no times yet."""

    type: Type
    status: Status
    reason: str
    message: str

    @classmethod
    def of(cls, type_: Type, verdict: Verdict) -> Finding:
        """Return a verdict as a condition: yes is True, no is False."""
        return cls(type_, "True" if verdict else "False", verdict.reason, verdict.message)


UNTRIED = frozenset({"VerifierUnavailable", "VerificationUnsupported", "NotTried"})
"""Reasons of ConnectionVerified that say nothing about the connection itself."""


def verification(verdict: Verdict) -> Finding:
    """Return what Syndesis said when it tried the connection; Unknown if it did not try."""
    if verdict.reason in UNTRIED:
        return Finding("ConnectionVerified", "Unknown", verdict.reason, verdict.message)
    return Finding.of("ConnectionVerified", verdict)


def without_effect(integration: Integration | None) -> tuple[Finding, ...]:
    """Return a condition for what an Integration asks for and this version does not do."""
    if integration is None or not (integration.spec.rotation or names.ROTATE in integration.live.annotations):
        return ()
    asked = "spec.rotation" if integration.spec.rotation else f"the annotation {names.ROTATE}"
    message = (
        f"{asked} has no effect in this version; to replace the credential, set spec.enabled to false and to true again"
    )
    return (Finding("RotationReady", "False", "NotSupported", message),)


@dataclass(frozen=True, slots=True)
class Announcement:
    """An Event worth posting: ``Normal`` or ``Warning``, with a reason and a message."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def summarise(findings: Iterable[Finding]) -> list[Finding]:
    """Return all conditions in their order, with ``Ready`` in front: True if all are, else why not.

    What a user has to do something about comes before what passes by itself.
    """
    by_type = {finding.type: finding for finding in findings}
    ordered = [by_type[type_] for type_ in ORDER if type_ in by_type]
    wanting = [finding for finding in ordered if finding.status != "True"]
    if not wanting:
        ready = Finding("Ready", "True", "Ready", "the user can log in and Syndesis has the connection")
    else:
        cause = next((finding for finding in wanting if finding.reason not in PROGRESS), wanting[0])
        ready = Finding("Ready", cause.status, cause.reason, cause.message)
    return [ready, *ordered, *(by_type[type_] for type_ in INFORMATIVE if type_ in by_type)]


def as_conditions(
    findings: Sequence[Finding], before: Sequence[Document], *, generation: int, now: str
) -> list[Document]:
    """Return findings as ``metav1.Condition`` documents; ``now`` (RFC 3339) is used only if a status changed."""
    last = {condition.get("type"): condition for condition in before}
    conditions = []
    for finding in findings:
        was = last.get(finding.type)
        unchanged = was is not None and was.get("status") == finding.status
        conditions.append(
            {
                "type": finding.type,
                "status": finding.status,
                "reason": finding.reason,
                "message": sanitized(finding.message, LONGEST_CONDITION),
                "lastTransitionTime": was["lastTransitionTime"] if was and unchanged else now,
                "observedGeneration": generation,
            }
        )
    return conditions


def announcements(findings: Sequence[Finding], before: Sequence[Document]) -> list[Announcement]:
    """Return the Events that a change is worth: one if ``Ready`` got another reason that does not pass by itself."""
    ready = findings[0]
    was = next((c for c in before if c.get("type") == "Ready"), {})
    if ready.reason in PROGRESS or (ready.status, ready.reason) == (was.get("status"), was.get("reason")):
        return []
    calm = ready.status == "True" or ready.reason in CALM
    return [Announcement("Normal" if calm else "Warning", ready.reason, sanitized(ready.message))]
