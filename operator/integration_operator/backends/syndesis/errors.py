"""Errors of a Syndesis server, as types that carry their policy.

A message quotes nothing of an answer but names of fields: a body may repeat what was sent, including the password.
"""

from __future__ import annotations

import re
from typing import Any

from integration_operator.runtime.errors import Failure


class SyndesisUnavailable(Failure):
    """No answer, 5xx, or not an answer of Syndesis: HTML, a truncated document.

    The request may have taken effect.
    """

    def __init__(self, message: str, *, reason: str = "SyndesisUnavailable", retry_after: float | None = None) -> None:
        super().__init__(reason, message, retry_after=retry_after)


class AccessRefused(Failure):
    """401 or 403: the server does not accept the headers that it trusts."""


class Refused(Failure):
    """4xx: the server refuses the request."""

    stalls = True


class SyndesisNotFound(Failure):
    """404: the connection, the connector or the endpoint does not exist."""


class EndpointNotFound(SyndesisNotFound):
    """404: the release does not have the endpoint, or the server is still starting."""


class ForeignObject(Refused):
    """A connection of this name exists and is not managed by the operator."""


class ConnectorUnfit(Failure):
    """The connector is missing, or does not mark the password as secret: it would be stored in plain text.

    ``starting`` is True if the server may still be loading its connectors.
    """

    def __init__(self, reason: str, message: str, *, starting: bool = False) -> None:
        super().__init__(reason, message)
        if starting:
            self.max_delay = 6.0


BUSY = frozenset({408, 425, 429})
"""4xx of a proxy in front of the server, independent of the request."""

WORD = re.compile(r"[A-Za-z][A-Za-z.]{0,63}")
"""Names of constraints and fields of the server; any other text may be part of the request."""

UNIQUE = "UniqueProperty"
"""The error for a name that is in use; the server never returns 409 (UniquePropertyValidator)."""


def refusal(server: str, call: str, status: int, body: Any) -> Failure:
    """Return the failure for an answer other than 2xx."""
    message = f"{server}: {call} returned HTTP {status}"
    if status >= 500 or status < 400 or status in BUSY:  # a redirect leads to the login page of a proxy
        return SyndesisUnavailable(message, reason="SyndesisFailed")
    if status in (401, 403):
        return AccessRefused("SyndesisAccessRefused", message, retry_after=60.0)
    if status == 404 and _is_unknown_path(body):
        return EndpointNotFound("SyndesisStarting", f"{message}: the endpoint does not exist (yet)")
    if status == 404:
        return SyndesisNotFound("SyndesisNotFound", message)
    violations = [v for v in body if isinstance(v, dict)] if isinstance(body, list) else []
    if any(v.get("error") == UNIQUE and str(v.get("property", "")).endswith("name") for v in violations):
        return ForeignObject(
            "ConnectionNameTaken", f"{server}: a connection of this name exists; rename or delete it in Syndesis"
        )
    details = ", ".join(f"{_word(v.get('error'))} of {_word(v.get('property'))}" for v in violations)
    return Refused("SyndesisRefused", f"{message}{': ' + details if details else ''}")


def _is_unknown_path(body: Any) -> bool:
    """Return True if the path does not exist (recorded answer of RESTEasy), False if the object does not."""
    message = body.get("developerMsg") if isinstance(body, dict) else None
    return isinstance(message, str) and message.startswith("RESTEASY003210")


def _word(value: object) -> str:
    return value if isinstance(value, str) and WORD.fullmatch(value) else "?"
