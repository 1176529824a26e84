"""Conditions: one summary, times that move only when a status does, and an Event only where one is worth it."""

from __future__ import annotations

import pytest

from integration_operator.domain.model.conditions import events, summarize
from integration_operator.runtime.conditions import Condition, condition_documents

PAIRED = Condition("Paired", "True", "SameNamespace", "")
STORED = Condition("CredentialsReady", "True", "Stored", "")
ACTIVE = Condition("UserReady", "True", "UserActive", "")
PENDING = Condition("UserReady", "False", "UserPending", "soon")
CONNECTED = Condition("ConnectionReady", "True", "ConnectionReady", "")
TAKEN = Condition("ConnectionReady", "False", "NameTaken", "somebody has it")


def test_ready_is_true_when_all_are() -> None:
    found = summarize([CONNECTED, ACTIVE, PAIRED, STORED])
    assert [f.type for f in found] == ["Ready", "Paired", "CredentialsReady", "UserReady", "ConnectionReady"]
    assert found[0].status == "True"


def test_what_a_person_has_to_do_comes_before_what_passes() -> None:
    assert summarize([PAIRED, STORED, PENDING, TAKEN])[0] == Condition("Ready", "False", "NameTaken", "somebody has it")
    assert summarize([PAIRED, STORED, PENDING, CONNECTED])[0].reason == "UserPending"


def test_a_trouble_takes_the_place_of_what_was_decided() -> None:
    trouble = Condition("UserReady", "False", "Forbidden", "not allowed")
    assert summarize([PAIRED, STORED, ACTIVE, CONNECTED, trouble])[0].reason == "Forbidden"


def test_times_move_with_the_status_only() -> None:
    first = condition_documents([PENDING, PAIRED], (), generation=1, now="t1")
    other = Condition("UserReady", "False", "UserFailed", "broken")
    second = condition_documents([other, PAIRED], first, generation=2, now="t2")
    third = condition_documents([ACTIVE, PAIRED], second, generation=2, now="t3")
    assert [c["lastTransitionTime"] for c in first + second + third] == ["t1", "t1", "t1", "t1", "t3", "t1"]
    assert [c["observedGeneration"] for c in second] == [2, 2]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, ("False", "UserPending"), None),
        (("False", "UserPending"), ("True", "Ready"), "Normal"),
        (("True", "Ready"), ("True", "Ready"), None),
        (("True", "Ready"), ("False", "UserFailed"), "Warning"),
        (("False", "UserFailed"), ("False", "UserFailed"), None),
        (("False", "UserFailed"), ("False", "NameTaken"), "Warning"),
        (("True", "Ready"), ("False", "ConnectionPending"), None),
        (("True", "Ready"), ("Unknown", "MassDeletionHeld"), "Warning"),
    ],
)
def test_events(before: tuple | None, after: tuple, expected: str | None) -> None:
    was = [{"type": "Ready", "status": before[0], "reason": before[1]}] if before else []
    said = events([Condition("Ready", after[0], after[1], "m")], was)
    assert [a.type for a in said] == ([expected] if expected else [])


@pytest.mark.parametrize("reason", ["NotEnabled", "Suspended"])
def test_a_state_that_a_user_chose_is_one_normal_event(reason: str) -> None:
    """An earlier version reported it as Ready False or Unknown; the Event is not repeated after an upgrade."""
    chosen = summarize([PAIRED, Condition("CredentialsReady", "False", reason, "m")])
    assert [(e.type, e.reason) for e in events(chosen, [])] == [("Normal", reason)]
    for earlier in ("False", "Unknown"):
        assert events(chosen, [{"type": "Ready", "status": earlier, "reason": reason}]) == []
    assert events(chosen, condition_documents(chosen, [], generation=1, now="t1")) == []
