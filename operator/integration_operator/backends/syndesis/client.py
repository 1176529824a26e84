"""The calls of Syndesis's REST API that a connection needs, with its traps taken care of.

The server does no authentication of its own: it trusts two headers, of which it reads only whether they are there
(SecurityConfiguration.java:61-96). No token of the cluster is ever sent.

A tenant runs the server, so each answer is read within ``Limits``: what comes packed, from elsewhere, too deep, too
large or too late is no answer of Syndesis.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp

from integration_operator.api import names
from integration_operator.backends.circuit_breaker import CircuitBreaker
from integration_operator.backends.limits import DEFAULT, ERROR_BYTES, MAX_VALUES, Limits
from integration_operator.backends.syndesis.errors import (
    EndpointNotFound,
    Refused,
    SyndesisNotFound,
    SyndesisUnavailable,
    refusal,
)
from integration_operator.runtime.errors import Failure
from integration_operator.runtime.json_text import Malformed, parse
from integration_operator.runtime.network_errors import describe_network_error
from integration_operator.runtime.responses import IDENTITY_ENCODING, TooLarge, Unreadable, body

Document = dict[str, Any]

HEADERS = IDENTITY_ENCODING | {
    "Accept": "application/json",
    "X-Forwarded-User": names.FIELD_MANAGER,
    "X-Forwarded-Access-Token": "none",
    "SYNDESIS-XSRF-TOKEN": "none",
}
PAGES = (100, 10, 1)
"""Connections asked for at once, smaller if the page is too large: a connection of a connector that was made from an
OpenAPI document holds that document. A short page is the last one: ``totalCount`` is the page's up to 1.13."""

MAX_PAGES = 200
LIST_SECONDS = 60.0
"""For all pages of a list together, without the wait for a turn."""

MAX_MATCHES = 50
"""Connections of one list that may be those that are looked for; there is one, or the few that a race has left."""

CONNECT_SECONDS = 5.0
VERIFIER_SECONDS = 25.0  # it gives up itself after 15 s (VerifierCommand.java:92)

NOT_KEPT = ("connector", "board")
"""What an answer holds besides the connection, and most of its bytes."""

PATH_PART = re.compile(r"[A-Za-z0-9_-]+")
"""What an id may be: as a part of a path anything else could lead to another call, and in a query be dropped."""

METADATA_SINCE = (1, 5)
"""Releases before drop a connection's metadata without a word (ConnectionBase.java:33 @1.5)."""


class SyndesisClient:
    """One Syndesis server; ``url`` is where ``/api/v1`` is below, ``peer`` what its requests go through."""

    def __init__(
        self,
        url: str,
        session: aiohttp.ClientSession,
        *,
        breaker: CircuitBreaker | None = None,
        limits: Limits = DEFAULT,
    ) -> None:
        self.url = url
        self._api = f"{url.rstrip('/')}/api/v1"
        self._session = session
        self._limits = limits
        self._breaker = breaker or CircuitBreaker(url, SyndesisUnavailable)

    async def keeps_metadata(self) -> bool:
        """Whether the release stores a connection's metadata; of a release that does not say its number it is not."""
        version = self._mapping(await self._call("GET", "/version"), "the version").get("version")
        numbers = re.findall(r"\d+", version)[:2] if isinstance(version, str) else []
        return tuple(int(number) for number in numbers) >= METADATA_SINCE

    async def connector(self, identifier: str) -> Document:
        """The definition of a connector. Raises ``NotThere``."""
        return self._mapping(await self._call("GET", f"/connectors/{self._part(identifier)}"), "the connector")

    async def connection(self, identifier: str) -> Document | None:
        """The connection of that id, None where there is none."""
        try:
            return self._connection(await self._call("GET", f"/connections/{self._part(identifier)}"))
        except SyndesisNotFound:
            return None

    async def connections(self, about: Callable[[Document], bool], connector: str | None = None) -> list[Document]:
        """Return the connections that it is ``about``, of one connector or of all.

        A filter by name is refused by the server (ReflectionUtils.java:26-43). No more than a page is held at a time.
        """
        try:
            return await self._pages(about, f"query=connectorId={self._part(connector)}&" if connector else "")
        except _Endless as endless:
            self._breaker.trip(endless)
            raise

    async def _pages(self, about: Callable[[Document], bool], condition: str) -> list[Document]:
        found: dict[str, Document] = {}
        offset, read, before = 0, _Count(), None
        too_large: dict[int, int] = {}
        """For a size of pages, up to which offset it is too large."""
        for _ in range(MAX_PAGES):
            size = next(s for s in PAGES if offset % s == 0 and offset >= too_large.get(s, 0))
            try:
                items = await self._page(condition, size, offset // size + 1, read)
            except _PageTooLarge:
                if size > 1:
                    too_large[size] = offset + size
                    continue
                items = [{"id": ""}]  # none of ours is as large; its name is checked by the server itself
            if read.bytes > self._limits.list_bytes:
                raise self._malformed(f"the list of connections has over {self._limits.list_bytes} bytes", _Endless)
            if read.seconds > LIST_SECONDS:
                raise self._malformed(f"the list of connections did not end in {LIST_SECONDS:g} s", _Endless)
            found.update({item["id"]: item for item in items if item["id"] and about(item)})
            if len(found) > MAX_MATCHES:
                raise self._malformed(f"over {MAX_MATCHES} connections match one pair", _Endless)
            if len(items) < size:
                return list(found.values())
            ids = [item["id"] for item in items]
            if ids == before and ids != [""]:
                break
            offset, before = offset + size, ids
        raise self._malformed("the list of connections has no end", _Endless)

    async def _page(self, condition: str, size: int, page: int, read: _Count) -> list[Document]:
        path = f"/connections?{condition}per_page={size}&page={page}"
        answer = self._mapping(await self._call("GET", path, read=read), "the list")
        items = answer.get("items", [])  # left out if it is empty
        if not isinstance(items, list) or len(items) > size:
            raise self._malformed("the list of connections is malformed")
        return [self._connection(item) for item in items]

    async def create(self, connection: Document) -> Document:
        """Make a connection; the answer is what was stored. Raises ``NameTaken``."""
        return self._connection(await self._call("POST", "/connections", connection))

    async def replace(self, connection: Document) -> None:
        """Replace a connection by the whole of ``connection``; the id that counts is the one inside of it."""
        await self._call("PUT", f"/connections/{self._part(connection['id'])}", connection)

    async def set_properties(self, identifier: str, properties: Mapping[str, str]) -> Document:
        """Add and overwrite properties, and leave everything else, ``uses`` among it, as it is (≥ 1.6).

        Raises ``NotThere`` where the release has no such call. Drafts of integrations take the new values.
        """
        path = f"/public/connections/{self._part(identifier)}/properties?refreshIntegrations=true"
        return self._connection(await self._call("POST", path, dict(properties), optional=True))

    async def delete(self, identifier: str) -> None:
        """Delete a connection. The server says yes also where there was none (Deleter.java:33-36)."""
        await self._call("DELETE", f"/connections/{self._part(identifier)}")

    async def verify(self, connector: str, properties: Mapping[str, str]) -> list[Document]:
        """Have the server try a connection with these properties; encrypted ones are decrypted there."""
        path = f"/connectors/{self._part(connector)}/verifier"
        answer = await self._call("POST", path, dict(properties), seconds=VERIFIER_SECONDS)
        if not isinstance(answer, list) or not all(isinstance(result, dict) for result in answer):
            raise self._malformed("the verifier's answer is not a list of results")
        return answer

    async def _call(
        self,
        method: str,
        path: str,
        sent: Document | None = None,
        *,
        seconds: float | None = None,
        read: _Count | None = None,
        optional: bool = False,
    ) -> Any:
        """Make a call; one that is ``optional`` is not in every release."""

        async def request() -> Any:
            try:
                return await self._request(method, path, sent, seconds or self._limits.seconds, read or _Count())
            except EndpointNotFound as error:
                if optional:
                    raise
                raise SyndesisUnavailable(error.message, reason=error.reason) from None  # it has not started yet

        return await self._breaker.call(request)

    async def _request(self, method: str, path: str, sent: Document | None, seconds: float, read: _Count) -> Any:
        call = f"{method} {path.partition('?')[0]}"
        timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds, CONNECT_SECONDS))
        status, began = 0, time.monotonic()
        try:
            async with self._session.request(
                method, self._api + path, json=sent, headers=HEADERS, timeout=timeout, allow_redirects=False
            ) as response:
                status = response.status
                data = await body(response, self._limits.answer_bytes if status < 300 else ERROR_BYTES)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SyndesisUnavailable(f"{self.url}: {describe_network_error(error, seconds=seconds)}") from None
        except Unreadable as unreadable:
            read.bytes += self._limits.answer_bytes
            if status >= 300:
                raise refusal(self.url, call, status, None) from None
            if isinstance(unreadable, TooLarge) and path.startswith("/connections?"):
                raise _PageTooLarge("SyndesisMalformed", f"{self.url}: {call}: {unreadable}") from None
            raise self._malformed(f"{call}: {unreadable}") from None
        finally:
            read.seconds += time.monotonic() - began
        read.bytes += len(data)
        try:
            answer = parse(data, max_values=MAX_VALUES) if data else None
        except Malformed as malformed:
            if status < 300:
                raise self._malformed(f"the answer to {call} is not usable JSON: {malformed}") from None
            answer = None
        if status >= 300:
            raise refusal(self.url, call, status, answer)
        return answer

    def _part(self, identifier: str) -> str:
        """Return the id as part of a path. Raises ``Refused`` if it would lead to another path."""
        if not PATH_PART.fullmatch(identifier):
            raise Refused(
                "SyndesisIdUnusable",
                f"{self.url}: the id {identifier!r} has characters other than A-Z, a-z, 0-9, '_' and '-'",
            )
        return identifier

    def _mapping(self, answer: Any, what: str) -> Document:
        if not isinstance(answer, dict):
            raise self._malformed(f"{what} is not a JSON object")
        return answer

    def _connection(self, answer: Any) -> Document:
        """Check the fields of a connection that are read, and leave out the others."""
        connection = {k: v for k, v in self._mapping(answer, "a connection").items() if k not in NOT_KEPT}
        fits = (
            isinstance(connection.get("id"), str)
            and isinstance(connection.get("name", ""), str)
            and all(isinstance(connection.get(key) or {}, dict) for key in ("configuredProperties", "metadata"))
            and isinstance(connection.get("tags") or [], list)
            and all(isinstance(tag, str) for tag in connection.get("tags") or ())
        )
        if not fits:
            raise self._malformed("a connection has fields of unexpected types")
        return connection

    def _malformed(self, said: str, kind: type[SyndesisUnavailable] = SyndesisUnavailable) -> SyndesisUnavailable:
        return kind(f"{self.url}: {said}", reason="SyndesisMalformed")


class _Endless(SyndesisUnavailable):
    """A list went beyond what a list may be, page for page without fault."""


class _PageTooLarge(Failure):
    """A page of a list has more bytes than an answer may have: a smaller one is asked for."""


@dataclass(slots=True)
class _Count:
    """What was read for the pages of one list, and how long that took."""

    bytes: int = 0
    seconds: float = 0.0
