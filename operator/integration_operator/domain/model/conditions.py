"""The conditions of an Integration, their order, and the Event that a change of them is worth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.reasons import EFFECTS, SIDES, Effect, effect_of
from integration_operator.runtime.conditions import Condition, Event
from integration_operator.runtime.text import sanitized

ConditionType = Literal[
    "Ready",
    "Disabled",
    "Suspended",
    "Paired",
    "CredentialsReady",
    "UserReady",
    "ConnectionReady",
    "DeliveryChosen",
    "ConnectionVerified",
    "Rotating",
    "Reconciling",
    "Stalled",
]
Document = dict[str, Any]

State = Literal["unreported", "ready", "reconciling", "stalled", "disabled", "suspended", "deleting"]
"""What users see of an Integration or a Connection: nothing yet, all is as desired, it passes by itself, a user has to
act, a user chose it, or it is being deleted."""

NO_REASON, OTHER_REASON = "", "Other"
"""In place of a reason: there is no condition, or the reason came from the API server or a webhook."""

SIDES_OF_BINDING: tuple[ConditionType, ...] = SIDES[:2]
"""A binding has no connection."""

ORDER: tuple[ConditionType, ...] = ("Paired", *SIDES)
"""The conditions that ``Ready`` summarises; each depends on the one before."""

CHOSEN: dict[str, ConditionType] = {"NotEnabled": "Disabled", "Suspended": "Suspended"}
"""Reasons for not being Ready that a user chose, and the condition that then takes the place of ``Ready``. kstatus
waits for a Ready that is not True, and there is nothing to wait for."""

SUMMARIES: tuple[ConditionType, ...] = ("Ready", *CHOSEN.values())
"""The conditions of which each Integration has one, the first."""

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
    """Return all conditions in their order after their summary.

    The summary is ``Ready``: True if all sides are, else with their reason. A reason that a user has to act on comes
    before one that passes without a user. If a user chose the reason, ``Disabled`` or ``Suspended`` is the summary.
    """
    by_type = {condition.type: condition for condition in conditions}
    ordered = [by_type[type_] for type_ in ORDER if type_ in by_type]
    open_ = _open(ordered)
    if not open_:
        has = (
            "Syndesis has the connection"
            if "ConnectionReady" in by_type
            else "the Secret has all that a workload needs"
        )
        summary = Condition("Ready", "True", "Ready", f"The user can log in, and {has}")
    else:
        cause = next((condition for condition in open_ if condition.reason not in PROGRESS), open_[0])
        summary = Condition("Ready", cause.status, cause.reason, cause.message)
    if summary.reason in CHOSEN:
        summary = Condition(CHOSEN[summary.reason], "True", summary.reason, summary.message)
    return [summary, *ordered, *(by_type[type_] for type_ in INFORMATIVE if type_ in by_type)]


def progress(conditions: Sequence[Condition], *, something_left: bool) -> tuple[Condition, ...]:
    """Return what kstatus reads beside the summary: ``Stalled``, ``Reconciling``, or nothing.

    ``Stalled`` means that a user has to act, ``Reconciling`` that it passes by itself. ``something_left`` means that
    some of what was delivered still exists: a disabled Integration is settled only without it.
    """
    summary, open_ = conditions[0], _open(c for c in conditions if c.type in ORDER)
    for type_, effect in (("Stalled", Effect.USER), ("Reconciling", Effect.PASSES)):
        for cause in (summary, *open_):
            if effect_of(cause.reason) is effect:
                return (Condition(type_, "True", cause.reason, cause.message),)
    if summary.type == "Disabled" and something_left:
        return (Condition("Reconciling", "True", "Removing", "What was delivered is being deleted"),)
    return ()


def needs_user(condition: Condition) -> bool:
    """Check if a user has to act: it does not hold, and neither passes by itself nor was chosen by a user.

    ``DeliveryChosen`` is False if a part of the spec has no effect.
    """
    if condition.status == "True":
        return False
    return condition.type == "DeliveryChosen" or effect_of(condition.reason) is Effect.USER


def summary_of(documents: Iterable[Any]) -> Document:
    """Return the summary among the conditions of a status, empty if there is none."""
    return next((c for c in documents if isinstance(c, dict) and c.get("type") in SUMMARIES), {})


def state_of(status: object, *, deleting: bool = False) -> tuple[State, str]:
    """Return the state that the conditions of a status show, and its reason: each is one of a bounded number."""
    state, cause = cause_of(status, deleting=deleting)
    reason = str(cause.get("reason")) if cause else NO_REASON
    return state, reason if reason in EFFECTS or reason == NO_REASON else OTHER_REASON


def cause_of(status: object, *, deleting: bool = False) -> tuple[State, Document]:
    """Return the state that the conditions of a status show, and the condition that it follows from, empty if none.

    A tenant may write the status, and no schema may have checked it.
    """
    conditions = status.get("conditions") if isinstance(status, dict) else None
    dicts = [c for c in conditions if isinstance(c, dict)] if isinstance(conditions, list) else []
    by_type = {str(c.get("type")): c for c in dicts}
    states: dict[str, State] = {
        "Stalled": "stalled",
        "Reconciling": "reconciling",
        "Disabled": "disabled",
        "Suspended": "suspended",
        "Ready": "ready",
    }
    state, cause = next(
        ((state, c) for type_, state in states.items() if _is_true(c := by_type.get(type_, {}))), ("unreported", {})
    )
    return "deleting" if deleting else state, cause


def events(conditions: Sequence[Condition], before: Sequence[Document]) -> list[Event]:
    """Return the Events that a change is worth: a new lasting reason of the summary, and the steps of a rotation."""
    summary = conditions[0]
    posted: list[Event] = []
    if summary.reason not in PROGRESS and summary.reason != summary_of(before).get("reason"):
        normal = summary.status == "True"
        posted.append(Event("Normal" if normal else "Warning", summary.reason, sanitized(summary.message)))
    for rotating in (condition for condition in conditions if condition.type == "Rotating"):
        reason = ROTATION_EVENTS.get(rotating.reason)
        if reason is not None and (rotating.status, rotating.reason) != _before("Rotating", before):
            posted.append(Event("Normal", reason, sanitized(rotating.message)))
    return posted


def _is_true(condition: Document) -> bool:
    return bool(condition.get("status") == "True")


def _open(conditions: Iterable[Condition]) -> list[Condition]:
    """Return the conditions that are not True."""
    return [condition for condition in conditions if condition.status != "True"]


def _before(type_: ConditionType, before: Sequence[Document]) -> tuple[Any, Any]:
    """Return status and reason that a condition had."""
    previous = next((c for c in before if c.get("type") == type_), {})
    return previous.get("status"), previous.get("reason")
