"""Errors, each with its policy.

An error is raised where the fact is known and handled in one place, the controller loop. Its type says whether to
retry, how soon, and whether a user should read of it::

    Failure                 retry with back-off, report it in a condition
    ├── Deferred            the request was not sent; retry when the server answers again
    ├── Incomplete          a part of a reconcile is left to do; what to report is reported already
    └── ApiError            an answer of the API server other than 2xx, or none
        ├── Unauthorized    401
        ├── Forbidden       403: retry within two minutes for as long as it lasts
        ├── Invalid         400, 422: the same
        ├── NotFound        404
        ├── Conflict        409: a part of normal life
        │   └── AlreadyExists
        ├── Gone            410: list again
        ├── TooManyRequests 429: wait as long as the server says
        ├── TooLarge        the answer is larger than what is read
        └── Unavailable     5xx, or no answer

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
"""Seconds for which a server's ``Retry-After`` is honoured; as long as the longest back-off."""

MAX_DELAY_REFUSED = 120.0
"""Longest back-off in seconds for what a user mends outside our sight (quota, admission policy, RBAC): with jitter one
request in one to two minutes."""

REASON = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
"""A reason that may stand in a condition. An admission webhook, which may be a tenant's, writes what it likes."""


class Failure(Exception):
    """An action could not be done: retry with back-off, and report it in a condition.

    ``reason`` is one CamelCase word for programs, ``message`` is for users and never holds a secret. The message may
    quote another system: it is bounded and made safe to show here. ``retry_after`` is in seconds.
    """

    stalls: ClassVar[bool] = False
    """The same request gets the same answer: wait until a fact changes."""
    max_delay: float = MAX_DELAY
    """The longest back-off in seconds."""
    deferred: bool = False
    """The request was not sent: retry after ``retry_after``, without a longer back-off."""
    quiet: bool = False
    """A part of normal life: retry, and do not report it."""

    def __init__(self, reason: str, message: str, *, retry_after: float | None = None) -> None:
        self.reason = reason
        self.message = sanitized(message)
        super().__init__(f"{reason}: {self.message}")
        self.retry_after = retry_after


class Deferred(Failure):
    """The request was not sent: its server is known to be down, or has as many requests as it may have."""

    deferred = True

    def __init__(self, reason: str, message: str, *, retry_after: float) -> None:
        super().__init__(reason, message, retry_after=retry_after)


class Incomplete(Failure):
    """A part of a reconcile is left to do. The conditions say what; ``longest_delay`` bounds the back-off."""

    quiet = True

    def __init__(self, *, retry_after: float = 0.0, max_delay: float = MAX_DELAY) -> None:
        super().__init__("Incomplete", "a part of the reconcile is left to do", retry_after=retry_after)
        self.max_delay = max_delay


class ApiError(Failure):
    """An answer of the API server other than 2xx; ``status`` is its HTTP status, 0 if there was no answer."""

    def __init__(self, status: int, reason: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason or str(status), message, retry_after=retry_after)
        self.status = status
        self.reason = reason


class NotFound(ApiError):
    """404: the object, or the whole resource, does not exist."""


class Gone(ApiError):
    """410: the resourceVersion or the continue token is too old; only a new LIST helps."""

    quiet = True


class Conflict(ApiError):
    """409: a precondition (uid, resourceVersion) does not hold, or another field manager owns an applied field."""

    quiet = True


class AlreadyExists(Conflict):
    """409 AlreadyExists: an object of this name exists."""


class Unauthorized(ApiError):
    """401: the token is missing, wrong or outdated."""


class Forbidden(ApiError):
    """403: RBAC, a quota or an admission policy forbids it, or the namespace is being deleted."""

    max_delay = MAX_DELAY_REFUSED


class Invalid(ApiError):
    """400 or 422: the server, or an admission webhook or policy, refuses the document."""

    max_delay = MAX_DELAY_REFUSED


class TooLarge(ApiError):
    """The answer has more bytes than are read; a smaller page of a LIST may have fewer."""


class TooManyRequests(ApiError):
    """429: the server asks to wait for ``retry_after``."""

    quiet = True


class Unavailable(ApiError):
    """5xx, or no answer (status 0): connection refused or reset, time-out, TLS failure."""


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
    """Return the error for an answer; ``body`` is a ``metav1.Status``, or whatever a proxy answered instead."""
    return _error(status, _status_document(body), retry_after)


def watch_error(status: dict[str, Any]) -> ApiError:
    """Return the error in an ``ERROR`` event of a watch, whose object is a ``metav1.Status``."""
    code = status.get("code")
    return _error(code if isinstance(code, int) and code >= 400 else 500, status, None)


def retry_after_seconds(retry_after: str | None) -> float | None:
    """Return the seconds in a ``Retry-After`` header, bounded; None if it holds a date, or there is none."""
    if retry_after is None or not (retry_after.isascii() and retry_after.isdigit()):
        return None
    return min(float(retry_after[:9]), MAX_RETRY_AFTER)


def _error(status: int, document: dict[str, Any], retry_after: str | None) -> ApiError:
    given, text = document.get("reason"), document.get("message")
    reason = given if isinstance(given, str) and REASON.fullmatch(given) else ""
    message = text if isinstance(text, str) and text else f"the server answered HTTP {status}"
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
