"""When a login works: phase, generation and message together, because the phase alone misleads."""

from __future__ import annotations

import pytest
from integration_operator.domain.policies.readiness import connection_ready, user_ready

CASES = [
    ("made just now", None, "UserPending"),
    ("seen", {"phase": "Pending"}, "UserPending"),
    ("being made", {"phase": "Configuring"}, "UserPending"),
    ("active, but of which generation?", {"phase": "Active"}, "UserPending"),
    ("active, of the last generation", {"phase": "Active", "generation": 1}, "UserPending"),
    ("active", {"phase": "Active", "generation": 2}, "UserActive"),
    ("active with an error", {"phase": "Active", "generation": 2, "message": "400 Bad Request"}, "UserFailed"),
    ("an error at first", {"phase": "Configuring", "generation": 2, "message": "404 Realm not found"}, "UserFailed"),
    ("an empty message is none", {"phase": "Active", "generation": 2, "message": ""}, "UserActive"),
    ("pending for ever, with its generation", {"phase": "Pending", "generation": 2}, "UserPending"),
]


@pytest.mark.parametrize(("status", "reason"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_rule(status: dict | None, reason: str) -> None:
    user = {"metadata": {"generation": 2}, "spec": {"username": "u"}, **({"status": status} if status else {})}
    verdict = user_ready(user)
    assert verdict.reason == reason
    assert verdict.passed == (reason == "UserActive")


def test_one_that_is_being_deleted_is_not_ready() -> None:
    metadata = {"generation": 1, "deletionTimestamp": "2024-01-01T00:00:00Z"}
    user = {"metadata": metadata, "spec": {}, "status": {"phase": "Active", "generation": 1}}
    assert user_ready(user).reason == "UserTerminating"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (None, "ConnectionPending"),
        ({"phase": "Pending"}, "ConnectionPending"),
        ({"phase": "Ready"}, "ConnectionReady"),
        ({"phase": "Ready", "observedGeneration": 2}, "ConnectionReady"),
        ({"phase": "Ready", "observedGeneration": 1}, "ConnectionPending"),
        ({"phase": "Error", "observedGeneration": 2}, "ConnectionFailed"),
    ],
)
def test_connection(status: dict | None, reason: str) -> None:
    connection = {"metadata": {"generation": 2}, **({"status": status} if status else {})}
    assert connection_ready(connection, reconciled=True).reason == reason
