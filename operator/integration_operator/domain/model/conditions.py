"""The conditions of an Integration, their order, and the Event that a change of them is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from integration_operator.domain.model.checks import Check
from integration_operator.runtime.conditions import Condition, Event
from integration_operator.runtime.text import sanitized

ConditionType = Literal[
    "Ready",
    "Paired",
    "CredentialsReady",
    "UserReady",
    "ConnectionReady",
    "DeliveryChosen",
    "ConnectionVerified",
    "Rotating",
]
Document = dict[str, Any]

SIDES: tuple[ConditionType, ...] = ("CredentialsReady", "UserReady", "ConnectionReady")
"""The conditions of a delivery's steps, in order."""

ORDER: tuple[ConditionType, ...] = ("Paired", *SIDES)
"""The conditions that ``Ready`` summarises; each depends on the one before."""

INFORMATIVE: tuple[ConditionType, ...] = ("DeliveryChosen", "ConnectionVerified", "Rotating")
"""Conditions that ``Ready`` does not depend on."""

PROGRESS = frozenset(
    {
        *("Waiting", "UserPending", "ConnectionPending", "UserTerminating", "ConnectionTerminating"),
        *("Preparing", "Moving", "Ending"),
    }
)
"""Reasons that pass without a user; no Event reports them."""

ROTATION_EVENTS = {"Overlap": "CredentialRotated", "Rotated": "EarlierUserDeleted"}
"""Reasons of Rotating, and the reasons of the Events that report them."""

CALM = frozenset({"NotEnabled", "Suspended"})
"""Reasons for not being Ready that a user chose."""

NOT_VERIFIED = frozenset({"VerifierUnavailable", "VerificationUnsupported", "NotTried"})
"""Reasons of ConnectionVerified that say nothing about the connection itself."""


def condition(type_: ConditionType, check: Check) -> Condition:
    """Return a check as a condition: True if it passed, else False."""
    return Condition(type_, "True" if check else "False", check.reason, check.message)


def waiting(side: ConditionType, needed: ConditionType) -> Condition:
    """Return the condition of a side that waits for another one."""
    return Condition(side, "False", "Waiting", f"Waits for {needed}")


def verification(check: Check) -> Condition:
    """Return the result of Syndesis's verification of the connection; Unknown if it did not verify."""
    if check.reason in NOT_VERIFIED:
        return Condition("ConnectionVerified", "Unknown", check.reason, check.message)
    return condition("ConnectionVerified", check)


def summarize(conditions: Iterable[Condition]) -> list[Condition]:
    """Return all conditions in their order after ``Ready``, which is True if all sides are, else has their reason.

    A reason that a user has to act on comes before one that passes without a user.
    """
    by_type = {condition.type: condition for condition in conditions}
    ordered = [by_type[type_] for type_ in ORDER if type_ in by_type]
    open_ = [condition for condition in ordered if condition.status != "True"]
    if not open_:
        ready = Condition("Ready", "True", "Ready", "The user can log in, and Syndesis has the connection")
    else:
        cause = next((condition for condition in open_ if condition.reason not in PROGRESS), open_[0])
        ready = Condition("Ready", cause.status, cause.reason, cause.message)
    return [ready, *ordered, *(by_type[type_] for type_ in INFORMATIVE if type_ in by_type)]


def events(conditions: Sequence[Condition], before: Sequence[Document]) -> list[Event]:
    """Return the Events that a change is worth: a new lasting reason of ``Ready``, and the steps of a rotation."""
    ready = conditions[0]
    posted: list[Event] = []
    if ready.reason not in PROGRESS and (ready.status, ready.reason) != _before("Ready", before):
        calm = ready.status == "True" or ready.reason in CALM
        posted.append(Event("Normal" if calm else "Warning", ready.reason, sanitized(ready.message)))
    for rotating in (condition for condition in conditions if condition.type == "Rotating"):
        reason = ROTATION_EVENTS.get(rotating.reason)
        if reason is not None and (rotating.status, rotating.reason) != _before("Rotating", before):
            posted.append(Event("Normal", reason, sanitized(rotating.message)))
    return posted


def _before(type_: ConditionType, before: Sequence[Document]) -> tuple[Any, Any]:
    """Return status and reason that a condition had."""
    previous = next((c for c in before if c.get("type") == type_), {})
    return previous.get("status"), previous.get("reason")
