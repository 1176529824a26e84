"""Keeps one connection on a Syndesis server for each pair that asks for it, in the fewest writes.

A gratuitous write is not harmless: a password that is encrypted anew flags every integration that uses the connection
as outdated, and a PUT resets the count of its uses (Equivalencer.java:449-461, UsageUpdateHandler.java:86-105).
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

import aiohttp
import structlog

from integration_operator.delivery.syndesis.client import Document, SyndesisClient
from integration_operator.delivery.syndesis.connection import (
    Lookup,
    Wanted,
    changes,
    is_encrypted,
    is_marked,
    marker_of,
    new,
    replacement,
    verdict_of,
    wanted,
)
from integration_operator.delivery.syndesis.errors import ConnectorUnfit, NameTaken, NotThere, SyndesisUnavailable
from integration_operator.domain import naming
from integration_operator.domain.actions import Deliver, Withdraw
from integration_operator.domain.remote import Remote
from integration_operator.domain.verdict import Verdict

CONNECTOR_FRESH = 3600.0
"""Seconds for which a connector's definition is taken as known; it changes with an upgrade of Syndesis."""

log = structlog.get_logger(__name__)


class SyndesisDelivery:
    """Connections on all Syndesis servers; ``url_of`` gives the server of a namespace."""

    def __init__(
        self,
        url_of: Callable[[str], str],
        secrets_of: Callable[[str], Lookup],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url_of = url_of
        self._secrets_of = secrets_of
        self._session: aiohttp.ClientSession | None = None
        self._servers: dict[str, Server] = {}
        self._clock = clock

    async def deliver(self, action: Deliver) -> Remote:
        """Make or mend the connection, or see that it is as it was left."""
        namespace = action.pair.syndesis.namespace
        server = self.server(namespace)
        identifier = action.known.id or naming.connection_id(action.pair)
        secret = await server.secret_properties(action.document["spec"]["connectorId"])
        look_up = self._secrets_of(namespace)
        want = wanted(action.document, identifier, marker_of(action.pair), action.credentials, secret, look_up)
        stored, written = await server.keep(want, action.known.credentials)
        made = Remote("rest", True, stored["id"], action.applied, action.credentials, False, action.known.verified)
        if written:
            made = replace(made, verified=None)
        if action.verify:
            made = replace(made, verified=await server.verify(stored, want))
        return made

    async def withdraw(self, action: Withdraw) -> str:
        """Delete the connection; say so where integrations use it."""
        identifier = action.known.id or naming.connection_id(action.pair)
        return await self.server(action.pair.syndesis.namespace).drop(identifier, marker_of(action.pair))

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    def server(self, namespace: str) -> Server:
        """The server of a namespace: there is one Syndesis in each, and its Service has a fixed name."""
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        if namespace not in self._servers:
            self._servers[namespace] = Server(SyndesisClient(self._url_of(namespace), self._session), self._clock)
        return self._servers[namespace]


class Server:
    """What is done on one server. Calls for one name follow each other: the server's own check of names is a race."""

    def __init__(self, client: SyndesisClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._connectors: dict[str, tuple[float, frozenset[str], str | None]] = {}

    async def secret_properties(self, connector: str) -> frozenset[str]:
        """The properties of a connector that the server encrypts; the password must be one.

        With a connector that it does not know the server stores everything in clear and says 200
        (ConnectionHandler.getConnectorProperties). Raises ``ConnectorUnfit``.
        """
        known = self._connectors.get(connector)
        if known is not None and self._clock() < known[0]:
            return known[1]
        try:
            definition = await self._client.connector(connector)
        except NotThere:
            raise ConnectorUnfit("ConnectorMissing", f"{self._client.url} has no connector {connector!r}") from None
        properties = definition.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        secret = frozenset(k for k, p in properties.items() if isinstance(p, dict) and p.get("secret") is True)
        if "password" not in secret:
            raise ConnectorUnfit(
                "ConnectorUnfit", f"{self._client.url}: connector {connector!r} would store the password in clear"
            )
        icon = definition.get("icon")
        self._connectors[connector] = self._clock() + CONNECTOR_FRESH, secret, icon if isinstance(icon, str) else None
        return secret

    async def keep(self, want: Wanted, confirmed: str) -> tuple[Document, bool]:
        """See that the connection is as it is wanted; return what is stored, and whether it was written.

        ``confirmed`` is the hash of the credential that was seen to be there. Raises ``NameTaken`` where a stranger
        has the name.
        """
        async with self._locks[want.name]:
            stored = await self._find(want)
            if stored is None:
                return await self._create(want), True
            found = changes(stored, want, confirmed)
            if not found:
                return stored, False
            return await self._mend(stored, want, confirmed), True

    async def drop(self, identifier: str, marker: str) -> str:
        """Delete what is ours; return a warning where integrations used it."""
        ours = [c for c in await self._there() if c["id"] == identifier or is_marked(c, marker)]
        warning = ""
        for connection in ours:
            uses = connection.get("uses")
            if isinstance(uses, int) and uses > 0:
                name = connection.get("name")
                warning = f"connection {name!r} was removed from Syndesis while {uses} integrations use it"
            await self._client.delete(connection["id"])
        gone = {connection["id"] for connection in ours}
        if gone and any(c["id"] in gone for c in await self._there()):
            raise SyndesisUnavailable(f"{self._client.url}: a connection is still there", reason="SyndesisFailed")
        return warning

    async def verify(self, stored: Document, want: Wanted) -> Verdict:
        """Have the server try the connection as it is stored; advisory, so a failure of the call is an answer too."""
        try:
            results = await self._client.verify(want.connector, stored.get("configuredProperties") or {})
        except SyndesisUnavailable as error:
            return Verdict.deny("VerifierUnavailable", error.message)
        return verdict_of(results, frozenset(want.properties[key] for key in want.secret if key in want.properties))

    async def _there(self, connector: str = "amqp") -> list[Document]:
        """All connections of a connector, from the list: by id the server also shows what was deleted (recorded)."""
        return [c for c in await self._client.connections(connector) if isinstance(c.get("id"), str)]

    async def _find(self, want: Wanted) -> Document | None:
        """The connection that is ours: by id, else by its mark. A stranger's of that name is refused.

        The id is enough: releases before 1.5 keep no mark, and the id follows from the pair, or was noted.
        """
        there = await self._there(want.connector)
        ours = next((c for c in there if c["id"] == want.id), None)
        ours = ours or next((c for c in there if is_marked(c, want.marker)), None)
        if ours is None and any(c.get("name") == want.name for c in there):
            raise self._taken(want)
        return ours

    def _taken(self, want: Wanted) -> NameTaken:
        return NameTaken("ConnectionNameTaken", f"{self._client.url}: {want.name!r} is there and is not ours")

    async def _create(self, want: Wanted) -> Document:
        """Make it, and look at what came of it: two that are made at the same moment are both accepted.

        What the server still shows of a deleted one would have the POST refused: a second deletion ends that.
        """
        if await self._client.connection(want.id) is not None:
            await self._client.delete(want.id)
        stored = await self._client.create(new(want, self._connectors[want.connector][2]))
        in_clear = [k for k in want.secret if k in want.properties and not is_encrypted(_property(stored, k))]
        twins = [c for c in await self._there(want.connector) if c.get("name") == want.name and c["id"] != want.id]
        strangers = [c for c in twins if not is_marked(c, want.marker)]
        if in_clear or strangers:
            await self._client.delete(want.id)
        if in_clear:
            raise ConnectorUnfit("ConnectorUnfit", f"{self._client.url} stored {', '.join(in_clear)} in clear")
        if strangers:
            raise self._taken(want)
        for twin in twins:
            await self._client.delete(twin["id"])
        return stored

    async def _mend(self, stored: Document, want: Wanted, confirmed: str) -> Document:
        """Write what differs, in the gentlest way that the server has for it; look again afterwards.

        The server itself reads and writes connections every 60 seconds without a lock, so a write may be lost.
        """
        found = changes(stored, want, confirmed)
        if not found.removed and not found.rest:
            try:
                return await self._client.set_properties(stored["id"], found.properties)
            except NotThere:
                log.debug("no call for properties", server=self._client.url)
        await self._client.replace(replacement(stored, want, found, self._connectors[want.connector][2]))
        after = next((c for c in await self._there(want.connector) if c["id"] == stored["id"]), None)
        if after is None or changes(after, want, want.credentials):
            raise SyndesisUnavailable(
                f"{self._client.url}: the write was overwritten by another", reason="SyndesisLostWrite"
            )
        return after


def _property(stored: Document, key: str) -> object:
    properties = stored.get("configuredProperties")
    return properties.get(key) if isinstance(properties, dict) else None
