"""A client for the endpoints of Syndesis's REST API that manage connections.

The server does not authenticate: it trusts two headers and checks only that they exist
(SecurityConfiguration.java:61-96). No token of the cluster is ever sent.

A tenant runs the server, so each answer is read within ``Limits``: an answer that is compressed, redirected, too deep,
too large or too late is an error.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
from pydantic import TypeAdapter, ValidationError

from integration_operator import metrics
from integration_operator.api import names
from integration_operator.backends.circuit_breaker import CircuitBreaker
from integration_operator.backends.limits import DEFAULT, ERROR_BYTES, MAX_VALUES, Limits
from integration_operator.backends.syndesis.answers import (
    CONNECTION,
    CONNECTION_PAGE,
    CONNECTOR,
    VERIFIER_RESULTS,
    VERSION,
    Connector,
    VerifierResult,
)
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

T = TypeVar("T")
Document = dict[str, Any]

HEADERS = IDENTITY_ENCODING | {
    "Accept": "application/json",
    "X-Forwarded-User": names.FIELD_MANAGER,
    "X-Forwarded-Access-Token": "none",
    "SYNDESIS-XSRF-TOKEN": "none",
}
PAGES = (100, 10, 1)
"""Page sizes; the next smaller one is used if a page is too large: a connection may contain an OpenAPI document. A
short page is the last one: ``totalCount`` is that of the page up to 1.13."""

MAX_PAGES = 200
LIST_SECONDS = 60.0
"""Maximum seconds for all pages of a list, without the wait for a slot."""

MAX_MATCHES = 50
"""Maximum connections of one list that match a pair; there is one, or a few after a race."""

CONNECT_SECONDS = 5.0
VERIFIER_SECONDS = 25.0  # the verifier itself gives up after 15 s (VerifierCommand.java:92)

NOT_KEPT = ("connector", "board")
"""Fields that are dropped; they are most of an answer."""

FIELDS = frozenset({"configuredProperties", "errors", "icon", "id", "items", "metadata", "name", "properties", "tags"})
"""Names that an error message may quote from the path of an invalid value."""

PATH_PART = re.compile(r"[A-Za-z0-9_-]+")
"""A valid id. Any other text could lead to another endpoint in a path, or be dropped in a query."""

METADATA_SINCE = (1, 5)
"""Earlier releases drop the metadata of a connection silently (ConnectionBase.java:33 @1.5)."""


class SyndesisClient:
    """A client for one Syndesis server at ``url``, without ``/api/v1``."""

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
        """Return True if the release stores the metadata of a connection; False if the release is unknown."""
        version = self._validated(VERSION, await self._call("GET", "/version"), "the version").version
        numbers = re.findall(r"\d+", version or "")[:2]
        return tuple(int(number) for number in numbers) >= METADATA_SINCE

    async def connector(self, identifier: str) -> Connector:
        """Return the definition of a connector. Raises ``SyndesisNotFound``."""
        answer = await self._call("GET", f"/connectors/{self._part(identifier)}")
        return self._validated(CONNECTOR, answer, "the connector")

    async def connection(self, identifier: str) -> Document | None:
        """Return the connection of this id, None if it does not exist."""
        try:
            return self._connection(await self._call("GET", f"/connections/{self._part(identifier)}"))
        except SyndesisNotFound:
            return None

    async def connections(self, matches: Callable[[Document], bool], connector: str | None = None) -> list[Document]:
        """Return the connections that match, of one connector or of all.

        The server refuses a filter by name (ReflectionUtils.java:26-43). Only one page is in memory at a time.
        """
        try:
            return await self._pages(matches, f"query=connectorId={self._part(connector)}&" if connector else "")
        except _Endless as endless:
            self._breaker.trip(endless)
            raise

    async def _pages(self, matches: Callable[[Document], bool], condition: str) -> list[Document]:
        connections: dict[str, Document] = {}
        offset, read, before = 0, _Count(), None
        too_large: dict[int, int] = {}
        """For a page size, the offset up to which pages are too large."""
        for _ in range(MAX_PAGES):
            size = next(s for s in PAGES if offset % s == 0 and offset >= too_large.get(s, 0))
            try:
                items = await self._page(condition, size, offset // size + 1, read)
            except _PageTooLarge:
                if size > 1:
                    too_large[size] = offset + size
                    continue
                items = [{"id": ""}]  # ours are never that large; the server checks its name
            if read.bytes > self._limits.list_bytes:
                raise self._malformed(
                    f"the list of connections has more than {self._limits.list_bytes} bytes", _Endless
                )
            if read.seconds > LIST_SECONDS:
                raise self._malformed(f"the list of connections did not end in {LIST_SECONDS:g} s", _Endless)
            connections.update({item["id"]: item for item in items if item["id"] and matches(item)})
            if len(connections) > MAX_MATCHES:
                raise self._malformed(f"over {MAX_MATCHES} connections match one pair", _Endless)
            if len(items) < size:
                return list(connections.values())
            ids = [item["id"] for item in items]
            if ids == before and ids != [""]:
                break
            offset, before = offset + size, ids
        raise self._malformed("the list of connections has no end", _Endless)

    async def _page(self, condition: str, size: int, page: int, read: _Count) -> list[Document]:
        path = f"/connections?{condition}per_page={size}&page={page}"
        answer = await self._call("GET", path, read=read)
        items = self._validated(CONNECTION_PAGE, answer, "the list of connections").items
        if len(items) > size:
            raise self._malformed("the list of connections has more items than were requested")
        return [self._connection(item) for item in items]

    async def create(self, connection: Document) -> Document:
        """Create a connection and return it as stored. Raises ``ForeignObject`` if the name is in use."""
        return self._connection(await self._call("POST", "/connections", connection))

    async def replace(self, connection: Document) -> None:
        """Replace a connection in full; the server uses the id in the body."""
        await self._call("PUT", f"/connections/{self._part(connection['id'])}", connection)

    async def set_properties(self, identifier: str, properties: Mapping[str, str]) -> Document:
        """Set properties and keep all other fields, including ``uses`` (≥ 1.6).

        Drafts of integrations get the new values. Raises ``SyndesisNotFound`` if the release has no such endpoint.
        """
        path = f"/public/connections/{self._part(identifier)}/properties?refreshIntegrations=true"
        return self._connection(await self._call("POST", path, dict(properties), optional=True))

    async def delete(self, identifier: str) -> None:
        """Delete a connection. The server also succeeds if it does not exist (Deleter.java:33-36)."""
        await self._call("DELETE", f"/connections/{self._part(identifier)}")

    async def verify(self, connector: str, properties: Mapping[str, str]) -> list[VerifierResult]:
        """Let the server test a connection with these properties; it decrypts encrypted ones."""
        path = f"/connectors/{self._part(connector)}/verifier"
        answer = await self._call("POST", path, dict(properties), seconds=VERIFIER_SECONDS)
        return self._validated(VERIFIER_RESULTS, answer, "the verifier's answer")

    async def _call(
        self,
        method: str,
        path: str,
        content: Document | None = None,
        *,
        seconds: float | None = None,
        read: _Count | None = None,
        optional: bool = False,
    ) -> Any:
        """Send a request; an ``optional`` endpoint is not in every release."""

        async def request() -> Any:
            try:
                return await self._request(method, path, content, seconds or self._limits.seconds, read or _Count())
            except EndpointNotFound as error:
                if optional:
                    raise
                raise SyndesisUnavailable(error.message, reason=error.reason) from None  # the server is starting

        return await self._breaker.call(request)

    async def _request(self, method: str, path: str, content: Document | None, seconds: float, read: _Count) -> Any:
        call = f"{method} {path.partition('?')[0]}"
        timeout = aiohttp.ClientTimeout(total=seconds, connect=min(seconds, CONNECT_SECONDS))
        status, began = 0, time.monotonic()
        try:
            async with self._session.request(
                method, self._api + path, json=content, headers=HEADERS, timeout=timeout, allow_redirects=False
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
            took = time.monotonic() - began
            read.seconds += took
            metrics.SYNDESIS_REQUEST(method, self._api, path, status, took)
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
        """Return the id if it is valid in a path. Raises ``Refused``."""
        if not PATH_PART.fullmatch(identifier):
            raise Refused(
                "SyndesisIdUnusable",
                f"{self.url}: the id {identifier!r} has characters other than A-Z, a-z, 0-9, '_' and '-'",
            )
        return identifier

    def _validated(self, adapter: TypeAdapter[T], answer: Any, what: str) -> T:
        """Return an answer as its model. Raises ``SyndesisUnavailable``, which quotes nothing of it."""
        try:
            return adapter.validate_python(answer)
        except ValidationError as error:
            path = ".".join(str(part) for part in error.errors()[0]["loc"] if isinstance(part, int) or part in FIELDS)
            raise self._malformed(f"{what} has an unexpected type{f' at {path}' if path else ''}") from None

    def _connection(self, answer: Any) -> Document:
        """Return a validated connection without the fields that are not used."""
        self._validated(CONNECTION, answer, "a connection")
        return {key: value for key, value in answer.items() if key not in NOT_KEPT}

    def _malformed(self, message: str, kind: type[SyndesisUnavailable] = SyndesisUnavailable) -> SyndesisUnavailable:
        return kind(f"{self.url}: {message}", reason="SyndesisMalformed")


class _Endless(SyndesisUnavailable):
    """A list exceeds a limit, although each page is valid."""


class _PageTooLarge(Failure):
    """A page of a list exceeds the limit in bytes: a smaller one is requested."""


@dataclass(slots=True)
class _Count:
    """Bytes and seconds of the pages of one list."""

    bytes: int = 0
    seconds: float = 0.0
