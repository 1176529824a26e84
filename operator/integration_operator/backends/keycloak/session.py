"""Requests to Keycloak's admin API: one login, one connection pool, typed failures.

It uses the connection of python-keycloak with its login and token renewal. It does not use ``KeycloakAdmin``, which has
one current realm for all concurrent calls, does not quote the realm name in a path, which a tenant can write, and pages
without end on a Keycloak 3 with 100 groups, which has no pages of groups.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from httpx import Response
from keycloak import KeycloakOpenIDConnection
from keycloak.exceptions import KeycloakConnectionError, KeycloakError

from integration_operator.backends.circuit_breaker import IN_FLIGHT, CircuitBreaker
from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.errors import (
    AdminRefused,
    KeycloakChanged,
    KeycloakFailure,
    KeycloakRefused,
    KeycloakUnavailable,
)
from integration_operator.backends.keycloak.transport import client
from integration_operator.backends.limits import DEFAULT, MAX_VALUES, Limits
from integration_operator.runtime.errors import retry_after_seconds
from integration_operator.runtime.fence import NotLeading
from integration_operator.runtime.json_text import Malformed, parse
from integration_operator.runtime.network_errors import describe_network_error
from integration_operator.runtime.responses import Unreadable

TIMEOUT = 10  # seconds for each step of a request; the whole request is bounded too, because a server may trickle
SAFE_MESSAGE = re.compile(r"invalidPassword[A-Za-z]+Message|error-[a-z-]+")
"""Keys of Keycloak's messages, the only part of an answer that an error quotes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with an expected status; ``created`` is the id of a created object, from ``Location``."""

    status: int
    document: Any = None
    created: str | None = None


class AdminSession:
    """Sends requests as the admin of one Keycloak."""

    def __init__(self, access: KeycloakAccess, breaker: CircuitBreaker | None = None, limits: Limits = DEFAULT) -> None:
        self._breaker = breaker or CircuitBreaker(access.host, KeycloakUnavailable)
        self._connection = _Connection(access, limits)
        self._seconds = 2 * limits.seconds  # a login may precede the request

    @property
    def is_circuit_open(self) -> bool:
        """True if requests to this Keycloak are held back."""
        return self._breaker.is_open

    def trip(self, error: KeycloakUnavailable) -> None:
        """Open the circuit of this Keycloak."""
        self._breaker.trip(error)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._connection.aclose()

    async def call(
        self,
        verb: str,
        *path: str,
        expect: tuple[int, ...],
        query: dict[str, str] | None = None,
        body: object = None,
    ) -> Answer:
        """Send a request below ``/admin/realms``; ``path`` are segments, which are quoted here.

        A status that is not in ``expect`` raises ``KeycloakFailure``.
        """
        return await self._breaker.call(lambda: self._call(verb, path, expect, query or {}, body))

    async def _call(
        self, verb: str, path: tuple[str, ...], expect: tuple[int, ...], query: dict[str, str], body: object
    ) -> Answer:
        if not {"", ".", ".."}.isdisjoint(path):  # ids come from answers and could lead to another path
            raise KeycloakUnavailable(f"{self._breaker.host}: an answer has an invalid id")
        target = "/".join(("admin", "realms", *(quote(segment, safe="") for segment in path)))
        what = f"{verb} {self._breaker.host}/{_redacted(path)}"
        try:
            async with asyncio.timeout(self._seconds):
                response = await self._send(verb, target, query, None if body is None else json.dumps(body))
        except TimeoutError:
            raise KeycloakUnavailable(f"{self._breaker.host}: no answer in {self._seconds:g} s") from None
        except KeycloakConnectionError as error:
            if isinstance(error.__cause__, NotLeading):
                raise error.__cause__ from None
            if isinstance(error.__cause__, Unreadable):
                raise KeycloakUnavailable(f"{what}: {error.__cause__}") from None
            raise KeycloakUnavailable(
                f"{self._breaker.host}: {describe_network_error(error, seconds=TIMEOUT)}"
            ) from None
        status = response.status_code
        if status not in expect:
            raise _failure(what, response)
        if status >= 300 or not response.content:  # an expected 404 or 409 has no body
            return Answer(status, created=_created(response))
        try:
            return Answer(status, parse(response.content, max_values=MAX_VALUES), _created(response))
        except Malformed as malformed:
            raise KeycloakUnavailable(
                f"{what}: HTTP {status}, and the answer is not usable JSON: {malformed}"
            ) from None

    async def _send(self, verb: str, target: str, query: dict[str, str], body: str | None) -> Response:
        """Send a request; the library adds a valid token and retries once after a 401 and another login."""
        match verb:
            case "GET":
                return await self._connection.a_raw_get(target, **query)
            case "POST":
                return await self._connection.a_raw_post(target, data=body or "", **query)
            case "PUT":
                return await self._connection.a_raw_put(target, data=body or "", **query)
            case _:
                return await self._connection.a_raw_delete(target, **query)


class _Connection(KeycloakOpenIDConnection):
    """The library's connection, with a login instead of a token refresh, one at a time.

    A restart of Keycloak invalidates the refresh token, and the library then gives up (``openid_connection.py``,
    ``a_refresh_token``).
    """

    def __init__(self, access: KeycloakAccess, limits: Limits) -> None:
        context = access.ssl_context()
        super().__init__(
            server_url=f"{access.url.rstrip('/')}/",
            username=access.username,
            password=access.password,
            realm_name="master",
            client_id="admin-cli",
            # Typed as a path or a flag; httpx, which sends all asynchronous requests, accepts a context.
            verify=context,  # type: ignore[arg-type]
            timeout=TIMEOUT,
            pool_maxsize=IN_FLIGHT,
        )
        self._log_in = asyncio.Lock()
        self.async_s = client(context, IN_FLIGHT, limits)
        self.keycloak_openid.connection.async_s = client(context, 1, limits)

    async def a_refresh_token(self) -> None:
        """Log in, unless another request just did."""
        stale = self.token
        async with self._log_in:
            if self.token is stale:
                await self.a_get_token()

    async def a_get_token(self) -> None:
        """Log in with the password."""
        try:
            await super().a_get_token()
        except KeycloakConnectionError:
            raise
        except KeycloakError as error:
            raise self._refusal(error.response_code) from None
        except (TypeError, ValueError, KeyError, ArithmeticError, AttributeError, RecursionError):
            # HTML, a list, a token without expiry, JSON nested too deep for the library
            self.token = None
            raise KeycloakUnavailable(f"login at {self.server_url}: the answer is not a token") from None

    async def aclose(self) -> None:
        """Close both connection pools; the library has a separate one for logins."""
        await self.keycloak_openid.connection.aclose()
        await super().aclose()

    def _refusal(self, status: int | None) -> KeycloakFailure:
        if status in (400, 401, 403):  # invalid_grant is 401 or 400 by release
            return AdminRefused(
                f"Keycloak at {self.server_url} refuses the login of its admin with HTTP {status}; correct its Secret"
            )
        return KeycloakUnavailable(f"login at {self.server_url}: HTTP {status}")


def _redacted(path: tuple[str, ...]) -> str:
    """Return a path without the name of the realm: the giver owns it, and the receiver reads messages."""
    return "/".join(("admin", "realms", "…", *path[1:]))


def _failure(what: str, response: Response) -> KeycloakFailure:
    status = response.status_code
    if status in (401, 403):
        return AdminRefused(f"{what}: HTTP {status}, the admin lacks the permission")
    if status in (404, 409):
        return KeycloakChanged(f"{what}: HTTP {status}, another client created or deleted it at the same time")
    if 400 <= status < 500 and status != 429:
        return KeycloakRefused(f"{what}: HTTP {status}{_safe_message(response)}")
    return KeycloakUnavailable(
        f"{what}: HTTP {status}", retry_after=retry_after_seconds(response.headers.get("Retry-After"))
    )


def _safe_message(response: Response) -> str:
    """Return the keys of Keycloak's messages in an answer, such as a violated password rule."""
    try:
        document = parse(response.content)
    except Malformed:
        return ""
    texts = [document.get(key) for key in ("error", "errorMessage")] if isinstance(document, dict) else []
    return "".join(f" {text}" for text in texts if isinstance(text, str) and SAFE_MESSAGE.fullmatch(text))


def _created(response: Response) -> str | None:
    return response.headers.get("Location", "").rpartition("/")[2] or None
