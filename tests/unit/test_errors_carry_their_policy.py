"""What the API server answers, as types that say what to do."""

from __future__ import annotations

import json

import pytest

from integration_operator.runtime import errors
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
