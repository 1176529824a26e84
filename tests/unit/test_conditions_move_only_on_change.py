"""Conditions: one summary, times that move only when a status does, and an Event only where one is worth it."""

from __future__ import annotations

import pytest

from integration_operator.domain.conditions import Finding, announcements, as_conditions, summarise

PAIRED = Finding("Paired", "True", "SameNamespace", "")
STORED = Finding("CredentialsReady", "True", "Stored", "")
ACTIVE = Finding("UserReady", "True", "UserActive", "")
PENDING = Finding("UserReady", "False", "UserPending", "soon")
CONNECTED = Finding("ConnectionReady", "True", "ConnectionReady", "")
TAKEN = Finding("ConnectionReady", "False", "NameTaken", "somebody has it")


def test_ready_is_true_when_all_are() -> None:
    found = summarise([CONNECTED, ACTIVE, PAIRED, STORED])
    assert [f.type for f in found] == ["Ready", "Paired", "CredentialsReady", "UserReady", "ConnectionReady"]
    assert found[0].status == "True"


def test_what_a_person_has_to_do_comes_before_what_passes() -> None:
    assert summarise([PAIRED, STORED, PENDING, TAKEN])[0] == Finding("Ready", "False", "NameTaken", "somebody has it")
    assert summarise([PAIRED, STORED, PENDING, CONNECTED])[0].reason == "UserPending"


def test_a_trouble_takes_the_place_of_what_was_decided() -> None:
    trouble = Finding("UserReady", "False", "Forbidden", "not allowed")
    assert summarise([PAIRED, STORED, ACTIVE, CONNECTED, trouble])[0].reason == "Forbidden"


def test_times_move_with_the_status_only() -> None:
    first = as_conditions([PENDING, PAIRED], (), generation=1, now="t1")
    other = Finding("UserReady", "False", "UserFailed", "broken")
    second = as_conditions([other, PAIRED], first, generation=2, now="t2")
    third = as_conditions([ACTIVE, PAIRED], second, generation=2, now="t3")
    assert [c["lastTransitionTime"] for c in first + second + third] == ["t1", "t1", "t1", "t1", "t3", "t1"]
    assert [c["observedGeneration"] for c in second] == [2, 2]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, ("False", "NotEnabled"), "Normal"),
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
    said = announcements([Finding("Ready", after[0], after[1], "m")], was)
    assert [a.type for a in said] == ([expected] if expected else [])
