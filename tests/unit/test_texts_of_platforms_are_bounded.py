"""Whatever a platform says, a condition's message of it is at most 1 KiB and moves no cursor."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integration_operator.backends.syndesis.answers import VERIFIER_RESULTS
from integration_operator.backends.syndesis.connection import check_of
from integration_operator.controllers.connection.status import connection_status
from integration_operator.domain.model.checks import Check
from integration_operator.domain.policies.readiness import connection_ready, user_ready
from integration_operator.runtime.errors import Failure, error_of, retry_after_seconds, watch_error

HOSTILE = "\x1b]0;owned\x07\nspoof: " + "é" * 60_000


def is_safe(message: str) -> bool:
    return len(message.encode()) <= 1024 and message.isprintable()


def test_every_failure() -> None:
    error = Failure("Refused", HOSTILE)
    assert is_safe(error.message)
    assert len(str(error).encode()) < 1100


def test_what_enmasse_says_of_a_user() -> None:
    for status in ({"message": HOSTILE}, {"message": {"a": [HOSTILE]}}):
        assert is_safe(user_ready({"metadata": {}, "status": status}).message)
    active: dict[str, Any] = {"metadata": {"generation": 1}, "status": {"phase": "Active", "generation": 1}}
    assert is_safe(user_ready({**active, "spec": {"username": HOSTILE}}).message)


@pytest.mark.parametrize("status", [None, "text", ["x"], 5, {"phase": ["Active"]}])
def test_a_users_status_of_any_type(status: Any) -> None:
    assert user_ready({"metadata": {}, "status": status}).reason == "UserPending"


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Error", "conditions": [{"status": "False", "message": HOSTILE}]},
        {"phase": "Error", "conditions": ["x", None, {"status": "False", "message": [HOSTILE]}]},
        {"phase": "Error", "conditions": "x"},
        {"phase": "Ready", "connectionId": HOSTILE},
        "text",
    ],
)
def test_what_a_reconciler_of_connections_says(status: Any) -> None:
    verdict = connection_ready({"metadata": {}, "status": status}, reconciled=True)
    assert is_safe(verdict.message)


def test_what_the_verifier_says() -> None:
    results = [{"status": "ERROR", "errors": [{"code": "X", "description": HOSTILE}] * 3}]
    assert is_safe(check_of(VERIFIER_RESULTS.validate_python(results), frozenset()).message)


def test_the_status_of_a_connection() -> None:
    denied = Check.failure("Refused", HOSTILE)
    status = connection_status({}, denied, generation=1, now="2024-01-01T00:00:00Z", verified=denied)
    assert is_safe(status["conditions"][0]["message"])
    assert is_safe(status["lastVerified"]["message"])


@pytest.mark.parametrize("reason", ["Spoofed Reason", "x" * 100, "\x1b[2J", {"a": 1}, 7])
def test_an_admission_webhook_chooses_neither_the_form_of_reason_nor_of_message(reason: Any) -> None:
    for error in (
        error_of(422, json.dumps({"reason": reason, "message": HOSTILE}).encode()),
        watch_error({"code": 422, "reason": reason, "message": HOSTILE}),
    ):
        assert is_safe(error.message)
        assert error.reason == ""


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"message":' * 5_000, json.dumps({"message": [HOSTILE]}).encode()])
def test_a_refusal_of_any_shape_is_a_refusal(body: bytes) -> None:
    error = error_of(403, body)
    assert (type(error).__name__, error.message) == ("Forbidden", "the server returned HTTP 403")


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("9" * 400, 300.0), ("²", None), ("-1", None), ("soon", None), (None, None)]
)
def test_a_server_does_not_ask_for_more_patience_than_a_back_off(header: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(header) == seconds
