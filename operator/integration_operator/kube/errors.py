"""What the API server answers when it does not do what was asked.

Status and reason are those of ``metav1.Status``
(https://kubernetes.io/docs/reference/using-api/api-concepts/, apimachinery's ``StatusReason``).
"""

from __future__ import annotations

import re
from typing import Any

from integration_operator.domain.failure import Failure, seconds_of
from integration_operator.domain.json_text import Malformed, parse

REASON = re.compile(r"[A-Za-z][A-Za-z0-9]{0,63}")
"""A reason that may stand in a condition. An admission webhook, which may be a tenant's, writes what it likes."""

MENDED_WITHIN = 120.0
"""Seconds; with jitter one request in one to two minutes for as long as what a user has to mend is not mended."""


class ApiError(Failure):
    """An answer of the API server other than 2xx; ``status`` is its HTTP status, 0 where there was no answer."""

    def __init__(self, status: int, reason: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason or str(status), message, retry_after=retry_after)
        self.status = status
        self.reason = reason


class NotFound(ApiError):
    """404: the object, or the whole kind, is not there."""


class Gone(ApiError):
    """410: the resourceVersion or the continue token is too old; only a new LIST helps."""

    quiet = True


class Conflict(ApiError):
    """409: a precondition (uid, resourceVersion) does not hold, or another field manager owns a field we applied."""

    quiet = True


class AlreadyExists(Conflict):
    """409 AlreadyExists: a create met an object of the same name."""


class Unauthorized(ApiError):
    """401: the token is missing, wrong or outdated."""


class Forbidden(ApiError):
    """403: RBAC, a quota or an admission policy does not allow it, or the namespace is being deleted."""

    longest_delay = MENDED_WITHIN


class Invalid(ApiError):
    """400 or 422: the server understood the document and refuses it.

    It may be an admission webhook or policy that does, and nothing tells when that is mended.
    """

    longest_delay = MENDED_WITHIN


class TooLarge(ApiError):
    """The answer has more bytes than are read; of a LIST, a smaller page may have fewer."""


class TooManyRequests(ApiError):
    """429: the server asks for patience, ``retry_after`` says how much."""

    quiet = True


class Unavailable(ApiError):
    """5xx, or no answer at all (status 0): refused, reset, timed out, TLS failure."""


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
    """Return the error for an answer: ``body`` is a ``Status`` document, or whatever a proxy has put in its place."""
    return _error(status, _status_document(body), retry_after)


def watch_error(status: dict[str, Any]) -> ApiError:
    """Return the error that an ``ERROR`` event of a watch carries: its object is a ``Status``."""
    code = status.get("code")
    return _error(code if isinstance(code, int) and code >= 400 else 500, status, None)


def _error(status: int, document: dict[str, Any], retry_after: str | None) -> ApiError:
    given, said = document.get("reason"), document.get("message")
    reason = given if isinstance(given, str) and REASON.fullmatch(given) else ""
    message = said if isinstance(said, str) and said else f"the server answered HTTP {status}"
    if reason == "AlreadyExists":
        kind: type[ApiError] = AlreadyExists
    elif status >= 500:
        kind = Unavailable
    else:
        kind = _BY_STATUS.get(status, ApiError)
    return kind(status, reason, message, retry_after=seconds_of(retry_after))


def _status_document(body: bytes) -> dict[str, Any]:
    try:
        document = parse(body)
    except Malformed:
        return {}
    return document if isinstance(document, dict) else {}
