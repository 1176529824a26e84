"""The calls of Syndesis's REST API that a connection needs, with its traps taken care of.

The server does no authentication of its own: it trusts two headers, of which it reads only whether they are there
(SecurityConfiguration.java:61-96). No token of the cluster is ever sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp

from integration_operator.api import names
from integration_operator.delivery.peer import Peer
from integration_operator.delivery.syndesis.errors import NotThere, SyndesisUnavailable, refusal

Document = dict[str, Any]

HEADERS = {
    "Accept": "application/json",
    "X-Forwarded-User": names.FIELD_MANAGER,
    "X-Forwarded-Access-Token": "none",
    "SYNDESIS-XSRF-TOKEN": "none",
}
PAGE = 500  # the default is 20; a short page is the last one: totalCount is the page's up to 1.13
MALFORMED = "SyndesisMalformed"
LIMITS = aiohttp.ClientTimeout(total=15, connect=5)
VERIFIER_LIMITS = aiohttp.ClientTimeout(total=25, connect=5)  # it gives up itself after 15 s (VerifierCommand.java:92)


class SyndesisClient:
    """One Syndesis server; ``url`` is where ``/api/v1`` is below."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.url = url
        self._api = f"{url.rstrip('/')}/api/v1"
        self._session = session
        self._peer = Peer(url, SyndesisUnavailable)

    async def connector(self, identifier: str) -> Document:
        """The definition of a connector. Raises ``NotThere``."""
        return self._mapping(await self._call("GET", f"/connectors/{identifier}"), "the connector")

    async def connection(self, identifier: str) -> Document | None:
        """The connection of that id, None where there is none."""
        try:
            return self._mapping(await self._call("GET", f"/connections/{identifier}"), "the connection")
        except NotThere:
            return None

    async def connections(self, connector: str) -> list[Document]:
        """All connections of a connector. A filter by name is refused by the server (ReflectionUtils.java:26-43)."""
        found: list[Document] = []
        page = 1
        while True:
            query = f"?query=connectorId={connector}&per_page={PAGE}&page={page}"
            answer = self._mapping(await self._call("GET", f"/connections{query}"), "the list")
            items = answer.get("items", [])  # left out where it is empty
            if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
                raise SyndesisUnavailable(f"{self.url}: the list of connections is none", reason=MALFORMED)
            found += items
            if len(items) < PAGE:
                return found
            page += 1

    async def create(self, connection: Document) -> Document:
        """Make a connection; the answer is what was stored. Raises ``NameTaken``."""
        return self._mapping(await self._call("POST", "/connections", connection), "what was stored")

    async def replace(self, connection: Document) -> None:
        """Replace a connection by the whole of ``connection``; the id that counts is the one inside of it."""
        await self._call("PUT", f"/connections/{connection['id']}", connection)

    async def set_properties(self, identifier: str, properties: Mapping[str, str]) -> Document:
        """Add and overwrite properties, and leave everything else, ``uses`` among it, as it is (≥ 1.6).

        Raises ``NotThere`` where the release has no such call. Drafts of integrations take the new values.
        """
        path = f"/public/connections/{identifier}/properties?refreshIntegrations=true"
        return self._mapping(await self._call("POST", path, dict(properties)), "the connection")

    async def delete(self, identifier: str) -> None:
        """Delete a connection. The server says yes also where there was none (Deleter.java:33-36)."""
        assert identifier, "without an id the path is another one"
        assert "_" not in identifier, "an underscore would delete others as well (SqlJsonDB.java:512-527)"
        await self._call("DELETE", f"/connections/{identifier}")

    async def verify(self, connector: str, properties: Mapping[str, str]) -> list[Document]:
        """Have the server try a connection with these properties; encrypted ones are decrypted there."""
        answer = await self._call("POST", f"/connectors/{connector}/verifier", dict(properties), limits=VERIFIER_LIMITS)
        if not isinstance(answer, list) or not all(isinstance(result, dict) for result in answer):
            raise SyndesisUnavailable(f"{self.url}: the verifier's answer is no list of results", reason=MALFORMED)
        return answer

    async def _call(
        self, method: str, path: str, body: Document | None = None, *, limits: aiohttp.ClientTimeout = LIMITS
    ) -> Any:
        return await self._peer.call(lambda: self._request(method, path, body, limits))

    async def _request(self, method: str, path: str, body: Document | None, limits: aiohttp.ClientTimeout) -> Any:
        call = f"{method} {path.partition('?')[0]}"
        try:
            async with self._session.request(
                method, self._api + path, json=body, headers=HEADERS, timeout=limits, allow_redirects=False
            ) as response:
                status, data = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SyndesisUnavailable(f"{self.url}: {call}: {type(error).__name__}") from None
        answer = _parsed(data)
        if status >= 300:
            raise refusal(self.url, call, status, answer)
        if data and answer is None:
            raise SyndesisUnavailable(f"{self.url}: {call} was answered with what is no JSON", reason=MALFORMED)
        return answer

    def _mapping(self, answer: Any, what: str) -> Document:
        if not isinstance(answer, dict):
            raise SyndesisUnavailable(f"{self.url}: {what} came as what is no object", reason=MALFORMED)
        return answer


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None
