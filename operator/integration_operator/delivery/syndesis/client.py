"""The calls of Syndesis's REST API that a connection needs, with its traps taken care of.

The server does no authentication of its own: it trusts two headers, of which it reads only whether they are there
(SecurityConfiguration.java:61-96). No token of the cluster is ever sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import aiohttp

from integration_operator.api import names
from integration_operator.delivery.peer import Peer
from integration_operator.delivery.syndesis.errors import NotThere, Refused, SyndesisUnavailable, refusal
from integration_operator.kube.trouble import in_words

Document = dict[str, Any]

HEADERS = {
    "Accept": "application/json",
    "X-Forwarded-User": names.FIELD_MANAGER,
    "X-Forwarded-Access-Token": "none",
    "SYNDESIS-XSRF-TOKEN": "none",
}
PAGE = 500  # the default is 20; a short page is the last one: totalCount is the page's up to 1.13
LIMITS = aiohttp.ClientTimeout(total=15, connect=5)
VERIFIER_LIMITS = aiohttp.ClientTimeout(total=25, connect=5)  # it gives up itself after 15 s (VerifierCommand.java:92)

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
        peer: Peer | None = None,
        limits: aiohttp.ClientTimeout = LIMITS,
    ) -> None:
        self.url = url
        self._api = f"{url.rstrip('/')}/api/v1"
        self._session = session
        self._limits = limits
        self._peer = peer or Peer(url, SyndesisUnavailable)

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
        except NotThere:
            return None

    async def connections(self, connector: str | None = None) -> list[Document]:
        """All connections, of one connector or of all.

        A filter by name is refused by the server (ReflectionUtils.java:26-43).
        """
        found: dict[str, Document] = {}
        condition = f"query=connectorId={self._part(connector)}&" if connector else ""
        page = 1
        while True:
            query = f"?{condition}per_page={PAGE}&page={page}"
            answer = self._mapping(await self._call("GET", f"/connections{query}"), "the list")
            items = answer.get("items", [])  # left out where it is empty
            if not isinstance(items, list):
                raise self._malformed("the list of connections is none")
            before = len(found)
            found.update({item["id"]: item for item in map(self._connection, items)})
            if len(items) < PAGE:
                return list(found.values())
            if len(found) == before:
                raise self._malformed("the list of connections has no end")
            page += 1

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
        return self._connection(await self._call("POST", path, dict(properties)))

    async def delete(self, identifier: str) -> None:
        """Delete a connection. The server says yes also where there was none (Deleter.java:33-36)."""
        await self._call("DELETE", f"/connections/{self._part(identifier)}")

    async def verify(self, connector: str, properties: Mapping[str, str]) -> list[Document]:
        """Have the server try a connection with these properties; encrypted ones are decrypted there."""
        path = f"/connectors/{self._part(connector)}/verifier"
        answer = await self._call("POST", path, dict(properties), limits=VERIFIER_LIMITS)
        if not isinstance(answer, list) or not all(isinstance(result, dict) for result in answer):
            raise self._malformed("the verifier's answer is no list of results")
        return answer

    async def _call(
        self, method: str, path: str, body: Document | None = None, *, limits: aiohttp.ClientTimeout | None = None
    ) -> Any:
        return await self._peer.call(lambda: self._request(method, path, body, limits or self._limits))

    async def _request(self, method: str, path: str, body: Document | None, limits: aiohttp.ClientTimeout) -> Any:
        call = f"{method} {path.partition('?')[0]}"
        try:
            async with self._session.request(
                method, self._api + path, json=body, headers=HEADERS, timeout=limits, allow_redirects=False
            ) as response:
                status, data = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SyndesisUnavailable(f"{self.url}: {in_words(error, seconds=limits.total)}") from None
        answer = _parsed(data)
        if status >= 300:
            raise refusal(self.url, call, status, answer)
        if data and answer is None:
            raise self._malformed(f"{call} was answered with what is no JSON")
        return answer

    def _part(self, identifier: str) -> str:
        """The id as part of a path. Raises ``Refused`` where the path would be another one with it."""
        if not PATH_PART.fullmatch(identifier):
            raise Refused("SyndesisIdUnusable", f"{self.url}: {identifier!r} cannot be asked for")
        return identifier

    def _mapping(self, answer: Any, what: str) -> Document:
        if not isinstance(answer, dict):
            raise self._malformed(f"{what} came as what is no object")
        return answer

    def _connection(self, answer: Any) -> Document:
        """A connection whose fields that we read are what they have to be."""
        connection = self._mapping(answer, "a connection")
        fits = (
            isinstance(connection.get("id"), str)
            and isinstance(connection.get("name", ""), str)
            and all(isinstance(connection.get(key) or {}, dict) for key in ("configuredProperties", "metadata"))
            and isinstance(connection.get("tags") or [], list)
            and all(isinstance(tag, str) for tag in connection.get("tags") or ())
        )
        if not fits:
            raise self._malformed("a connection came with fields of other types")
        return connection

    def _malformed(self, said: str) -> SyndesisUnavailable:
        return SyndesisUnavailable(f"{self.url}: {said}", reason="SyndesisMalformed")


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except (ValueError, RecursionError):
        return None
