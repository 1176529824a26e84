"""Requests to Keycloak's admin API as its admin: one log-in, one connection pool, typed failures.

Of python-keycloak it uses the connection, with its log-in and its token's life, and not ``KeycloakAdmin``: that keeps
one current realm for all concurrent calls, puts a realm's name into a path unquoted, which here a tenant can write, and
pages without end on a Keycloak 3 with 100 groups, which knows no pages of groups.
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

from integration_operator.delivery.keycloak.access import KeycloakAccess
from integration_operator.delivery.keycloak.errors import (
    AdminRefused,
    KeycloakChanged,
    KeycloakFailure,
    KeycloakRefused,
    KeycloakUnavailable,
)
from integration_operator.delivery.peer import IN_FLIGHT, Peer
from integration_operator.domain.failure import seconds_of
from integration_operator.kube.trouble import in_words

TIMEOUT = 10  # seconds for each step of one request
WHOLE_TIMEOUT = 25.0  # seconds for a request with the log-in before it; a server that trickles ends no step
SAYABLE = re.compile(r"invalidPassword[A-Za-z]+Message|error-[a-z-]+")
"""Keys of Keycloak's own messages, the only part of an answer that is passed on."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was expected; ``created`` is the id in the ``Location`` of what was made."""

    status: int
    document: Any = None
    created: str | None = None


class AdminSession:
    """The admin of one Keycloak."""

    def __init__(self, access: KeycloakAccess, peer: Peer | None = None) -> None:
        self._peer = peer or Peer(access.host, KeycloakUnavailable)
        self._connection = _Connection(access)

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
        """One request below ``/admin/realms``; ``path`` are segments, quoted here.

        Statuses that are not expected are failures: of Keycloak, of the admin, or of the request.
        """
        return await self._peer.call(lambda: self._call(verb, path, expect, query or {}, body))

    async def _call(
        self, verb: str, path: tuple[str, ...], expect: tuple[int, ...], query: dict[str, str], body: object
    ) -> Answer:
        target = "/".join(("admin", "realms", *(quote(segment, safe="") for segment in path)))
        what = f"{verb} {self._peer.host}/{target}"
        try:
            async with asyncio.timeout(WHOLE_TIMEOUT):
                response = await self._send(verb, target, query, None if body is None else json.dumps(body))
        except TimeoutError:
            raise KeycloakUnavailable(f"{self._peer.host}: no answer in {WHOLE_TIMEOUT:g} s") from None
        except KeycloakConnectionError as error:
            raise KeycloakUnavailable(f"{self._peer.host}: {in_words(error, seconds=TIMEOUT)}") from None
        status = response.status_code
        if status not in expect:
            raise _failure(what, response)
        if status >= 300 or not response.content:  # an expected 404 or 409: its status says it all
            return Answer(status, created=_created(response))
        try:
            return Answer(status, response.json(), _created(response))
        except ValueError:
            raise KeycloakUnavailable(f"{what}: HTTP {status}, and the answer is not JSON") from None

    async def _send(self, verb: str, target: str, query: dict[str, str], body: str | None) -> Response:
        """The library sends a request with a valid token, and once more after a 401 and another log-in."""
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
    """The library's connection, which logs in anew, one at a time, where the library would renew a token.

    A refresh token dies with a restart of Keycloak, and the library then gives up (``openid_connection.py``,
    ``a_refresh_token``); the password is at hand anyway.
    """

    def __init__(self, access: KeycloakAccess) -> None:
        super().__init__(
            server_url=f"{access.url.rstrip('/')}/",
            username=access.username,
            password=access.password,
            realm_name="master",
            client_id="admin-cli",
            # Typed as a path or a flag; httpx, which all asynchronous requests go through, takes a context.
            verify=access.ssl_context(),  # type: ignore[arg-type]
            timeout=TIMEOUT,
            pool_maxsize=IN_FLIGHT,
        )
        self._log_in = asyncio.Lock()

    async def a_refresh_token(self) -> None:
        """Log in, unless another request has just done so."""
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
        except (TypeError, ValueError, KeyError, ArithmeticError):  # HTML, a list, a token without its life
            self.token = None
            raise KeycloakUnavailable(f"log-in at {self.server_url}: the answer is not a token") from None

    async def aclose(self) -> None:
        """Close both pools; the library logs in through one of its own."""
        await self.keycloak_openid.connection.aclose()
        await super().aclose()

    def _refusal(self, status: int | None) -> KeycloakFailure:
        if status in (400, 401, 403):  # invalid_grant is 401 or 400 by release
            return AdminRefused(f"Keycloak at {self.server_url} refuses the log-in of its admin with HTTP {status}")
        return KeycloakUnavailable(f"log-in at {self.server_url}: HTTP {status}")


def _failure(what: str, response: Response) -> KeycloakFailure:
    status = response.status_code
    if status in (401, 403):
        return AdminRefused(f"{what}: HTTP {status}, the admin may not do this")
    if status in (404, 409):
        return KeycloakChanged(f"{what}: HTTP {status}, what was there is not, or the other way round")
    if 400 <= status < 500 and status != 429:
        return KeycloakRefused(f"{what}: HTTP {status}{_sayable(response)}")
    return KeycloakUnavailable(f"{what}: HTTP {status}", retry_after=seconds_of(response.headers.get("Retry-After")))


def _sayable(response: Response) -> str:
    """Which rule was broken, where Keycloak says it in a word of its own."""
    try:
        document = response.json()
    except ValueError:
        return ""
    said = [document.get(key) for key in ("error", "errorMessage")] if isinstance(document, dict) else []
    return "".join(f" {word}" for word in said if isinstance(word, str) and SAYABLE.fullmatch(word))


def _created(response: Response) -> str | None:
    return response.headers.get("Location", "").rpartition("/")[2] or None
