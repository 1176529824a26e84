"""Connections on one Syndesis server, managed with the fewest writes and concurrent with other clients.

An unnecessary write does harm: a password that is encrypted again marks every integration that uses the connection as
outdated, and a PUT resets its use count (Equivalencer.java:449-461, UsageUpdateHandler.java:86-105).
"""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import structlog

from integration_operator.backends.syndesis.client import Document, SyndesisClient
from integration_operator.backends.syndesis.connection import (
    Changes,
    DesiredConnection,
    changes,
    check_of,
    is_encrypted,
    is_marked,
    is_ours,
    new,
    replacement,
)
from integration_operator.backends.syndesis.errors import (
    ConnectorUnfit,
    ForeignObject,
    Refused,
    SyndesisNotFound,
    SyndesisUnavailable,
)
from integration_operator.domain.model.checks import Check
from integration_operator.domain.policies.ownership import ConnectionEvidence
from integration_operator.runtime.errors import Deferred, Failure

CONNECTOR_FRESH = 3600.0
"""Seconds for which the definition of a connector is cached while the server answers; it changes with an upgrade of
Syndesis. It is read again before each write that sends a secret."""

STARTING = 120.0
"""Seconds in which a server that failed or was replaced may still be loading its connectors: on one busy core that
takes half a minute. Afterwards a missing connector is an error that a user has to fix."""

UNSURE = "?"
"""A hash that no credentials have, so that the desired ones differ from it."""

log = structlog.get_logger(__name__)


class ConnectionService:
    """Manages the connections of one server. Calls for one name are serialized: the server's check of names is racy."""

    def __init__(self, client: SyndesisClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._connectors: dict[str, tuple[float, frozenset[str], str | None]] = {}
        self._metadata: tuple[float, bool] | None = None
        self._started_until = clock() + STARTING
        self._unsure: set[str] = set()
        """Ids of connections whose secrets were sent without a confirmation."""

    async def secret_properties(self, connector: str) -> frozenset[str]:
        """Return the properties of a connector that the server encrypts; the password must be one.

        For an unknown connector the server stores everything in plain text and returns 200
        (ConnectionHandler.getConnectorProperties). Raises ``ConnectorUnfit``.
        """
        cached = self._connectors.get(connector)
        if cached is not None and self._clock() < cached[0]:
            return cached[1]
        with self._forgetting_on_failure():
            return await self._read_secret_properties(connector)

    def forget(self) -> None:
        """Drop all cached facts about the server: another one may answer in its place."""
        self._connectors.clear()
        self._metadata = None
        self._started_until = self._clock() + STARTING

    @contextmanager
    def _forgetting_on_failure(self) -> Iterator[None]:
        """Drop cached facts if a request fails: the next answer may come from a new installation of Syndesis."""
        try:
            yield
        except (SyndesisUnavailable, Deferred):
            self.forget()
            raise

    async def _check_encryption(self, desired: DesiredConnection) -> None:
        """Check, just before secrets are sent, that the server encrypts them.

        A starting server accepts connections before it has loaded its connectors, and stores them in plain text.
        """
        self._connectors.pop(desired.connector, None)
        secret = await self._read_secret_properties(desired.connector)
        if secret != desired.secret:
            message = f"{self._client.url}: connector {desired.connector!r} changed before the password was sent"
            raise SyndesisUnavailable(message, reason="ConnectorChanged")

    async def _read_secret_properties(self, connector: str) -> frozenset[str]:
        try:
            definition = await self._client.connector(connector)
        except SyndesisNotFound:
            self._connectors.pop(connector, None)
            missing = f"{self._client.url} has no connector {connector!r} (yet)"
            raise ConnectorUnfit("ConnectorMissing", missing, starting=self._clock() < self._started_until) from None
        properties = definition.properties or {}
        secret = frozenset(key for key, value in properties.items() if value and value.secret)
        if "password" not in secret:
            self._connectors.pop(connector, None)
            raise ConnectorUnfit(
                "ConnectorUnfit",
                f"{self._client.url}: connector {connector!r} would store the password in plain text; it is not sent",
            )
        self._connectors[connector] = self._clock() + CONNECTOR_FRESH, secret, definition.icon
        return secret

    async def ensure(
        self, desired: DesiredConnection, confirmed: str, confirmed_stored: str = ""
    ) -> tuple[Document, bool]:
        """Create or update the connection; return the stored connection and True if it was written.

        ``confirmed`` is the hash of the confirmed credential, ``confirmed_stored`` that of its ciphertexts. Raises
        ``ForeignObject`` if a foreign connection has the name.
        """
        async with self._locks[desired.name]:
            with self._forgetting_on_failure():
                return await self._create_or_update(desired, confirmed, confirmed_stored)

    async def _create_or_update(
        self, desired: DesiredConnection, confirmed: str, confirmed_stored: str
    ) -> tuple[Document, bool]:
        stored = await self._find(desired)
        if stored is None:
            if confirmed:  # it existed, so this may be another Syndesis
                self.forget()
            return await self._create(desired), True
        if stored["id"] in self._unsure:
            confirmed = UNSURE
        differences = await self._differences(stored, desired, confirmed, confirmed_stored)
        if not differences:
            return stored, False
        return await self._update(stored, desired, differences), True

    async def delete(self, evidence: ConnectionEvidence) -> str:
        """Delete the pair's connections; return a warning if integrations used one."""
        with self._forgetting_on_failure():
            return await self._delete_all(evidence)

    async def _delete_all(self, evidence: ConnectionEvidence) -> str:
        ours = await self._client.connections(lambda c: is_ours(c, evidence))
        warning = ""
        for connection in ours:
            uses = connection.get("uses")
            if isinstance(uses, int) and uses > 0:
                use = "1 integration uses" if uses == 1 else f"{uses} integrations use"
                warning = f"connection {connection.get('name')!r} was deleted in Syndesis while {use} it"
            await self._delete(connection["id"])
        deleted = {connection["id"] for connection in ours}
        if deleted and await self._client.connections(lambda c: c["id"] in deleted):
            raise SyndesisUnavailable(
                f"{self._client.url}: a deleted connection is still listed", reason="SyndesisFailed"
            )
        return warning

    async def verify(self, stored: Document, desired: DesiredConnection) -> Check:
        """Let the server test the stored connection. The test is advisory: a failed request is also a result."""
        properties = stored.get("configuredProperties") or {}
        try:
            results = await self._client.verify(desired.connector, properties)
        except Failure as error:
            return Check.failure("VerifierUnavailable", error.message)
        sources = (desired.properties, properties)
        secrets = {str(values[key]) for values in sources for key in desired.secret if values.get(key)}
        return check_of(results, frozenset(secrets))

    async def _stored(self, identifier: str, connector: str | None = None) -> Document | None:
        """Return the connection of this id from the list: a GET by id also returns a deleted one (recorded)."""
        return next(iter(await self._client.connections(lambda c: c["id"] == identifier, connector)), None)

    async def _find(self, desired: DesiredConnection) -> Document | None:
        """Return the pair's connection, and delete twins that a race has left.

        Raises ``ForeignObject`` if a foreign connection has its name.
        """
        candidates = await self._client.connections(desired.concerns, desired.connector)
        owned = [c for c in candidates if is_ours(c, desired.evidence)]
        ours = next((c for c in owned if c["id"] == desired.id), None) or next(iter(owned), None)
        if ours is None and any(c.get("name") == desired.name for c in candidates):
            raise self._taken(desired)
        for twin in owned:
            if ours is not None and twin["id"] != ours["id"] and is_marked(twin, desired.evidence):
                await self._delete(twin["id"])
        return ours

    async def _differences(
        self, stored: Document, desired: DesiredConnection, confirmed: str, confirmed_stored: str = ""
    ) -> Changes:
        keeps_metadata = await self._keeps_metadata(stored)
        return changes(stored, desired, confirmed, confirmed_stored, keeps_metadata=keeps_metadata)

    async def _keeps_metadata(self, stored: Document) -> bool:
        """Return True if the server stores metadata; it is asked only if the connection has none."""
        if stored.get("metadata"):
            return True
        if self._metadata is None or self._clock() >= self._metadata[0]:
            self._metadata = self._clock() + CONNECTOR_FRESH, await self._client.keeps_metadata()
        return self._metadata[1]

    async def _delete(self, identifier: str) -> None:
        await self._check_unambiguous(identifier)
        with suppress(SyndesisNotFound):
            await self._client.delete(identifier)
        self._unsure.discard(identifier)

    async def _check_unambiguous(self, identifier: str) -> None:
        """Check that a write changes no other connection: ``_`` in an id matches any character.

        (SqlJsonDB.java:512-527.) The operator creates no such id, but an adopted connection may have one.
        """
        if "_" not in identifier:
            return
        like = re.compile(re.escape(identifier).replace("_", "."))
        if await self._client.connections(lambda c: c["id"] != identifier and bool(like.fullmatch(c["id"]))):
            message = (
                f"{self._client.url}: a write of {identifier!r} would change another connection; delete it in Syndesis"
            )
            raise Refused("ConnectionIdAmbiguous", message)

    def _taken(self, desired: DesiredConnection) -> ForeignObject:
        message = f"{self._client.url}: a connection named {desired.name!r} exists and is not this pair's"
        return ForeignObject("ConnectionNameTaken", f"{message}; rename or delete it in Syndesis")

    def _raced(self, desired: DesiredConnection) -> SyndesisUnavailable:
        message = f"{self._client.url}: another client is creating connection {desired.name!r} at the same time"
        return SyndesisUnavailable(message, reason="SyndesisRaced")

    async def _create(self, desired: DesiredConnection) -> Document:
        """Create the connection and read it back: the server accepts two of one name at the same time.

        Of two that are ours the one with the lower id is kept, so that concurrent clients agree.
        """
        desired = replace(desired, id=desired.evidence.generated.replace("_", "-"))
        await self._free_id(desired)
        await self._check_encryption(desired)
        try:
            await self._client.create(new(desired, self._icon(desired)))
        except ForeignObject:
            if await self._client.connections(lambda c: is_marked(c, desired.evidence), desired.connector):
                raise self._raced(desired) from None
            raise self._taken(desired) from None
        candidates = await self._client.connections(desired.concerns)
        stored = next((c for c in candidates if c["id"] == desired.id), None)
        if stored is None:
            raise self._lost()
        twins = [
            c
            for c in candidates
            if c["id"] != desired.id and (c.get("name") == desired.name or is_marked(c, desired.evidence))
        ]
        foreign = [c for c in twins if not is_marked(c, desired.evidence)]
        unencrypted = _unencrypted(stored, desired)
        if unencrypted or foreign or any(twin["id"] < desired.id for twin in twins):
            await self._delete(desired.id)
        if unencrypted:
            raise self._unfit(unencrypted)
        if foreign:
            raise self._taken(desired)
        if any(twin["id"] < desired.id for twin in twins):
            raise self._raced(desired)
        for twin in twins:
            await self._delete(twin["id"])
        if await self._differences(stored, desired, desired.credentials):
            raise self._raced(desired)
        return stored

    def _icon(self, desired: DesiredConnection) -> str | None:
        cached = self._connectors.get(desired.connector)
        return cached[2] if cached is not None else None

    async def _free_id(self, desired: DesiredConnection) -> None:
        """Delete a connection that blocks the id: remains of a deleted one, or one of ours with another connector.

        The server would refuse the POST otherwise. A second deletion removes such remains.
        """
        if await self._client.connection(desired.id) is None:
            return
        stored = await self._stored(desired.id)
        if stored is not None and (
            stored.get("connectorId") == desired.connector or not is_marked(stored, desired.evidence)
        ):
            raise self._raced(desired)
        await self._delete(desired.id)

    async def _update(self, stored: Document, desired: DesiredConnection, differences: Changes) -> Document:
        """Write the differences with the endpoint that changes least, and read the connection back.

        The server itself reads and writes connections every 60 seconds without a lock, so a write may be lost.
        """
        await self._check_unambiguous(stored["id"])
        secrets = desired.secret & differences.properties.keys()
        if secrets:
            await self._check_encryption(desired)
            self._unsure.add(stored["id"])
        if differences.removed or differences.rest or not await self._set_properties(stored, differences):
            await self._client.replace(replacement(stored, desired, differences, self._icon(desired)))
        after = await self._stored(stored["id"], desired.connector)
        if after is None:
            raise self._lost()
        if unencrypted := _unencrypted(after, desired):
            raise self._unfit(unencrypted)
        unchanged = any(_property(after, key) == _property(stored, key) for key in secrets)
        if unchanged or await self._differences(after, desired, desired.credentials):
            raise self._lost()
        self._unsure.discard(stored["id"])
        return after

    async def _set_properties(self, stored: Document, differences: Changes) -> bool:
        """Set properties only; return False if the release has no endpoint for that."""
        try:
            await self._client.set_properties(stored["id"], differences.properties)
        except SyndesisNotFound:
            log.debug("properties endpoint not found", server=self._client.url)
            return False
        return True

    def _lost(self) -> SyndesisUnavailable:
        return SyndesisUnavailable(f"{self._client.url}: the write was overwritten", reason="SyndesisLostWrite")

    def _unfit(self, unencrypted: list[str]) -> ConnectorUnfit:
        """Return the failure for an unencrypted secret; the connector is read again before the next write."""
        self.forget()
        message = f"{self._client.url} stored {', '.join(unencrypted)} in plain text; no more secrets are sent"
        return ConnectorUnfit("ConnectorUnfit", message)


def _unencrypted(stored: Document, desired: DesiredConnection) -> list[str]:
    """Return the keys of secrets that are stored in plain text."""
    values = {key: _property(stored, key) for key in sorted(desired.secret & desired.properties.keys())}
    return [key for key, value in values.items() if value is not None and not is_encrypted(value)]


def _property(stored: Document, key: str) -> object:
    properties = stored.get("configuredProperties")
    return properties.get(key) if isinstance(properties, dict) else None
