"""What a Syndesis server answers when it does not do what was asked, as types that carry their policy.

No message holds text of an answer's body beyond names of fields: a body may repeat what was sent, password included.
"""

from __future__ import annotations

import re
from typing import Any

from integration_operator.runtime.errors import Failure


class SyndesisUnavailable(Failure):
    """No answer, 5xx, or an answer that a Syndesis does not give: HTML, half a document.

    It may have done what was asked.
    """

    def __init__(self, message: str, *, reason: str = "SyndesisUnavailable", retry_after: float | None = None) -> None:
        super().__init__(reason, message, retry_after=retry_after)


class AccessRefused(Failure):
    """401 or 403: the server does not take the headers that it trusts."""


class Refused(Failure):
    """4xx: the server understood the request and refuses it."""

    stalls = True


class SyndesisNotFound(Failure):
    """404: there is no such connection or connector, or the release has no such call."""


class EndpointNotFound(SyndesisNotFound):
    """404: the release has no such call, or the server is not far enough with its start to have any."""


class ForeignObject(Refused):
    """A connection of that name is there, and is not ours."""


class ConnectorUnfit(Failure):
    """The connector is missing, or does not treat the password as a secret: it would be stored in clear.

    ``starting`` says that the server may only have to load its connectors yet.
    """

    def __init__(self, reason: str, message: str, *, starting: bool = False) -> None:
        super().__init__(reason, message)
        if starting:
            self.max_delay = 6.0


BUSY = frozenset({408, 425, 429})
"""4xx that say nothing of the request; a proxy in front of the server gives them."""

WORD = re.compile(r"[A-Za-z][A-Za-z.]{0,63}")
"""What the server's names of constraints and fields look like; anything else may be what was sent."""

UNIQUE = "UniqueProperty"
"""The one error that says that a name is taken; the server never answers 409 (UniquePropertyValidator)."""


def refusal(server: str, call: str, status: int, body: Any) -> Failure:
    """Return the failure for an answer other than 2xx."""
    said = f"{call} was answered with HTTP {status}"
    if status >= 500 or status < 400 or status in BUSY:  # a redirect is a proxy's log-in page
        return SyndesisUnavailable(f"{server}: {said}", reason="SyndesisFailed")
    if status in (401, 403):
        return AccessRefused("SyndesisAccessRefused", f"{server}: {said}", retry_after=60.0)
    if status == 404 and _is_of_resteasy(body):
        return EndpointNotFound("SyndesisStarting", f"{server}: {said}: it has no such call (yet)")
    if status == 404:
        return SyndesisNotFound("SyndesisNotFound", f"{server}: {said}")
    violations = [v for v in body if isinstance(v, dict)] if isinstance(body, list) else []
    if any(v.get("error") == UNIQUE and str(v.get("property", "")).endswith("name") for v in violations):
        return ForeignObject(
            "ConnectionNameTaken", f"{server}: a connection of that name exists; rename or delete it in Syndesis"
        )
    named = ", ".join(f"{_word(v.get('error'))} of {_word(v.get('property'))}" for v in violations)
    return Refused("SyndesisRefused", f"{server}: {said}{': ' + named if named else ''}")


def _is_of_resteasy(body: Any) -> bool:
    """Check if it is the path that was not found (recorded), and not what it stands for."""
    said = body.get("developerMsg") if isinstance(body, dict) else None
    return isinstance(said, str) and said.startswith("RESTEASY003210")


def _word(value: object) -> str:
    return value if isinstance(value, str) and WORD.fullmatch(value) else "?"
