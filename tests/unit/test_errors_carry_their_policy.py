"""What the API server answers, as types that say what to do."""

from __future__ import annotations

import json

import pytest

from integration_operator.runtime import errors
from integration_operator.runtime.backoff import backoff
from integration_operator.runtime.errors import Failure, error_of, watch_error


def body(reason: str, message: str = "said") -> bytes:
    return json.dumps({"kind": "Status", "reason": reason, "message": message}).encode()


@pytest.mark.parametrize(
    ("status", "reason", "kind", "stalls", "quiet"),
    [
        (400, "BadRequest", errors.Invalid, False, False),
        (401, "Unauthorized", errors.Unauthorized, False, False),
        (403, "Forbidden", errors.Forbidden, False, False),
        (404, "NotFound", errors.NotFound, False, False),
        (409, "Conflict", errors.Conflict, False, True),
        (409, "AlreadyExists", errors.AlreadyExists, False, True),
        (410, "Expired", errors.Gone, False, True),
        (418, "", errors.ApiError, False, False),
        (422, "Invalid", errors.Invalid, False, False),
        (429, "TooManyRequests", errors.TooManyRequests, False, True),
        (500, "InternalError", errors.Unavailable, False, False),
        (503, "ServiceUnavailable", errors.Unavailable, False, False),
        (504, "Timeout", errors.Unavailable, False, False),
    ],
)
def test_policy(status: int, reason: str, kind: type, stalls: bool, quiet: bool) -> None:
    error = error_of(status, body(reason))
    assert type(error) is kind
    assert (error.status, error.reason, error.message) == (status, reason, "said")
    assert (error.stalls, error.quiet) == (stalls, quiet)


@pytest.mark.parametrize("text", [b"<html>no</html>", b"", b'{"kind": "Sta', b"[]", b"null"])
def test_an_answer_of_something_on_the_way(text: bytes) -> None:
    error = error_of(502, text)
    assert isinstance(error, errors.Unavailable)
    assert "502" in error.message


def test_retry_after() -> None:
    assert error_of(429, b"", retry_after="7").retry_after == 7.0
    assert error_of(429, b"", retry_after="soon").retry_after is None


def test_the_error_in_a_watch() -> None:
    assert isinstance(watch_error({"code": 410, "reason": "Expired", "message": "too old"}), errors.Gone)
    assert isinstance(watch_error({}), errors.Unavailable)


@pytest.mark.parametrize("status", [400, 403, 422])
def test_what_a_user_mends_outside_our_sight_is_tried_again_within_two_minutes(status: int) -> None:
    """An admission webhook or policy, a quota, a role: no watch tells when it has been mended."""
    assert error_of(status, body("Forbidden")).max_delay == 120.0
    assert error_of(503, body("ServiceUnavailable")).max_delay == Failure.max_delay


@pytest.mark.parametrize(("code", "status"), [(400, 400), (410, 410), (200, 500), ("410", 500), (None, 500)], ids=str)
def test_the_code_in_a_watch_counts_if_it_is_one_of_an_error(code: object, status: int) -> None:
    assert watch_error({"code": code, "reason": "Expired", "message": "too old"}).status == status


def test_a_failure_was_sent_unless_it_says_otherwise() -> None:
    assert not Failure("Down", "no answer").deferred
    assert errors.Deferred("Down", "not asked", retry_after=1.0).deferred


@pytest.mark.parametrize("header", ["", "-1", "1.5", "٣", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_a_time_to_wait_that_is_no_whole_number_is_none(header: str) -> None:
    assert error_of(503, b"", retry_after=header).retry_after is None


def test_no_server_makes_the_operator_wait_for_more_than_five_minutes() -> None:
    assert error_of(503, b"", retry_after="9" * 400).retry_after == 300.0


def test_the_first_attempt_after_a_failure_comes_at_once_for_a_user() -> None:
    assert backoff(0, 1.0) <= 0.2
    assert backoff(0, 0.0) > 0.0
