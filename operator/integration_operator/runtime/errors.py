"""Errors, each with its policy.

The controller loop handles all errors. The type of an error sets whether to retry, how soon, and whether to report it::

    Failure                 retry with back-off, report it in a condition
    ├── Deferred            the request was not sent; retry when the server responds again
    ├── Incomplete          a part of the reconcile is still to do; the conditions report it already
    └── ApiError            a response of the API server other than 2xx, or none
        ├── Unauthorized    401
        ├── Forbidden       403: retry, at least every two minutes
        ├── Invalid         400, 422: retry, at least every two minutes
        ├── NotFound        404
        ├── Conflict        409: normal; retry without a report
        │   └── AlreadyExists
        ├── Gone            410: list again
        ├── TooManyRequests 429: wait for Retry-After
        ├── TooLarge        the response exceeds the limit in bytes
        └── Unavailable     5xx, or no response

Status and reason of an ``ApiError`` are those of ``metav1.Status``
(https://kubernetes.io/docs/reference/using-api/api-concepts/, apimachinery's ``StatusReason``).
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from integration_operator.runtime.backoff import MAX_DELAY
from integration_operator.runtime.json_text import Malformed, parse
from integration_operator.runtime.text import sanitized

MAX_RETRY_AFTER = 300.0
"""Maximum seconds of a ``Retry-After``; the same as the maximum back-off."""

MAX_DELAY_REFUSED = 120.0
"""Maximum back-off in seconds for a refusal that a user fixes in an object that is not watched (quota, admission
policy, RBAC): with jitter one request in one to two minutes."""

REASON = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
"""A reason that a condition may have. An admission webhook of a tenant can return any text."""


class Failure(Exception):
    """An action failed: retry with back-off, and report it in a condition.

    ``reason`` is one CamelCase word for programs. ``message`` is for users and never holds a secret. It may quote
    another system, so it is sanitized here. ``retry_after`` is in seconds.
    """

    stalls: ClassVar[bool] = False
    """True if the same request gets the same response: wait for a change."""
    max_delay: float = MAX_DELAY
    """Maximum back-off in seconds."""
    deferred: bool = False
    """True if the request was not sent: retry after ``retry_after``, without a longer back-off."""
    quiet: bool = False
    """True if the failure is normal: retry, and do not report it."""

    def __init__(self, reason: str, message: str, *, retry_after: float | None = None) -> None:
        self.reason = reason
        self.message = sanitized(message)
        super().__init__(f"{reason}: {self.message}")
        self.retry_after = retry_after


class Deferred(Failure):
    """The request was not sent: the server is down, or has the maximum of requests in flight."""

    deferred = True

    def __init__(self, reason: str, message: str, *, retry_after: float) -> None:
        super().__init__(reason, message, retry_after=retry_after)


class Incomplete(Failure):
    """A part of the reconcile is still to do. The conditions report it; ``max_delay`` bounds the back-off."""

    quiet = True

    def __init__(self, *, retry_after: float = 0.0, max_delay: float = MAX_DELAY) -> None:
        super().__init__("Incomplete", "a part of the reconcile is still to do", retry_after=retry_after)
        self.max_delay = max_delay


class ApiError(Failure):
    """A response of the API server other than 2xx; ``status`` is its HTTP status, 0 if there was no response."""

    def __init__(self, status: int, reason: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason or str(status), message, retry_after=retry_after)
        self.status = status
        self.reason = reason


class NotFound(ApiError):
    """404: the object or the whole resource does not exist."""


class Gone(ApiError):
    """410: the resourceVersion or the continue token is too old; list again."""

    quiet = True


class Conflict(ApiError):
    """409: a precondition (uid, resourceVersion) failed, or another field manager owns an applied field."""

    quiet = True


class AlreadyExists(Conflict):
    """409 AlreadyExists: an object of this name exists."""


class Unauthorized(ApiError):
    """401: the token is missing, wrong or expired."""


class Forbidden(ApiError):
    """403: RBAC, a quota or an admission policy forbids it, or the namespace is being deleted."""

    max_delay = MAX_DELAY_REFUSED


class Invalid(ApiError):
    """400 or 422: the server, an admission webhook or an admission policy refuses the document."""

    max_delay = MAX_DELAY_REFUSED


class TooLarge(ApiError):
    """The response exceeds the limit in bytes; a smaller page of a LIST may fit."""


class TooManyRequests(ApiError):
    """429: the server asks to wait for ``retry_after``."""

    quiet = True


class Unavailable(ApiError):
    """5xx, or no response (status 0): connection refused or reset, time-out, TLS failure."""


_BY_STATUS: dict[int, type[ApiError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    422: Invalid,
    429: TooManyRequests,
}


def error_of(status: int, body: bytes, *, retry_after: str | None = None) -> ApiError:
    """Return the error for a response; ``body`` is a ``metav1.Status``, or any text of a proxy."""
    return _error(status, _status_document(body), retry_after)


def watch_error(status: dict[str, Any]) -> ApiError:
    """Return the error of an ``ERROR`` watch event, whose object is a ``metav1.Status``."""
    code = status.get("code")
    return _error(code if isinstance(code, int) and code >= 400 else 500, status, None)


def retry_after_seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header, bounded; None if it is absent or a date."""
    if retry_after is None or not (retry_after.isascii() and retry_after.isdigit()):
        return None
    return min(float(retry_after[:9]), MAX_RETRY_AFTER)


def _error(status: int, document: dict[str, Any], retry_after: str | None) -> ApiError:
    code, text = document.get("reason"), document.get("message")
    reason = code if isinstance(code, str) and REASON.fullmatch(code) else ""
    message = text if isinstance(text, str) and text else f"the server returned HTTP {status}"
    if reason == "AlreadyExists":
        error: type[ApiError] = AlreadyExists
    elif status >= 500:
        error = Unavailable
    else:
        error = _BY_STATUS.get(status, ApiError)
    return error(status, reason, message, retry_after=retry_after_seconds(retry_after))


def _status_document(body: bytes) -> dict[str, Any]:
    try:
        document = parse(body)
    except Malformed:
        return {}
    return document if isinstance(document, dict) else {}
