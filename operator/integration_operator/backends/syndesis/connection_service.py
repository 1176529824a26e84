"""One connection at a time on one Syndesis server, in the fewest writes, whoever else writes there.

A gratuitous write is not harmless: a password that is encrypted anew flags every integration that uses the connection
as outdated, and a PUT resets the count of its uses (Equivalencer.java:449-461, UsageUpdateHandler.java:86-105).
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
"""Seconds for which a connector's definition is taken as known while the server answers; it changes with an upgrade of
Syndesis. It is asked for again before each write that sends a secret."""

STARTING = 120.0
"""Seconds in which a server that failed, or is another one now, may still be loading its connectors: a few on one
busy core take half a minute. Later a connector that is missing is a mistake that a user has to mend."""

UNSURE = "?"
"""The hash of credentials that nobody has: whatever is wanted differs from it."""

log = structlog.get_logger(__name__)


class ConnectionService:
    """What is done on one server. Calls for one name follow each other: the server's own check of names is a race."""

    def __init__(self, client: SyndesisClient, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._connectors: dict[str, tuple[float, frozenset[str], str | None]] = {}
        self._metadata: tuple[float, bool] | None = None
        self._started_until = clock() + STARTING
        self._unsure: set[str] = set()
        """The connections whose secrets were sent, and of which no answer said that they arrived."""

    async def secret_properties(self, connector: str) -> frozenset[str]:
        """Return the properties of a connector that the server encrypts; the password must be one.

        With a connector that it does not know the server stores everything in clear and says 200
        (ConnectionHandler.getConnectorProperties). Raises ``ConnectorUnfit``.
        """
        known = self._connectors.get(connector)
        if known is not None and self._clock() < known[0]:
            return known[1]
        with self._believing_nothing_after_a_failure():
            return await self._asked_secret_properties(connector)

    def forget(self) -> None:
        """Believe nothing any more that this server said of itself: another one may answer in its place."""
        self._connectors.clear()
        self._metadata = None
        self._started_until = self._clock() + STARTING

    @contextmanager
    def _believing_nothing_after_a_failure(self) -> Iterator[None]:
        """Forget what the server said of itself if a call fails: a Syndesis that was installed anew may answer next."""
        try:
            yield
        except (SyndesisUnavailable, Deferred):
            self.forget()
            raise

    async def _make_sure_of_secrets(self, desired: DesiredConnection) -> None:
        """Make sure, just before secrets are sent, that the server would encrypt them.

        A server that starts takes connections before it has loaded its connectors, and stores all of them in clear.
        """
        self._connectors.pop(desired.connector, None)
        secret = await self._asked_secret_properties(desired.connector)
        if secret != desired.secret:
            said = (
                f"{self._client.url}: connector {desired.connector!r} changed just before the password was to be sent"
            )
            raise SyndesisUnavailable(said, reason="ConnectorChanged")

    async def _asked_secret_properties(self, connector: str) -> frozenset[str]:
        try:
            definition = await self._client.connector(connector)
        except SyndesisNotFound:
            self._connectors.pop(connector, None)
            missing = f"{self._client.url} has no connector {connector!r} (yet)"
            raise ConnectorUnfit("ConnectorMissing", missing, starting=self._clock() < self._started_until) from None
        properties = definition.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        secret = frozenset(k for k, p in properties.items() if isinstance(p, dict) and p.get("secret") is True)
        if "password" not in secret:
            self._connectors.pop(connector, None)
            raise ConnectorUnfit(
                "ConnectorUnfit",
                f"{self._client.url}: connector {connector!r} would store the password in clear; none is sent",
            )
        icon = definition.get("icon")
        self._connectors[connector] = self._clock() + CONNECTOR_FRESH, secret, icon if isinstance(icon, str) else None
        return secret

    async def ensure(
        self, desired: DesiredConnection, confirmed: str, confirmed_stored: str = ""
    ) -> tuple[Document, bool]:
        """See that the connection is as it is wanted; return what is stored, and whether it was written.

        ``confirmed`` is the hash of the credential that was seen to be there, ``confirmed_stored`` that of the
        ciphertexts that it was stored as. Raises ``NameTaken`` if a foreign connection has the name.
        """
        async with self._locks[desired.name]:
            with self._believing_nothing_after_a_failure():
                return await self._keep(desired, confirmed, confirmed_stored)

    async def _keep(self, desired: DesiredConnection, confirmed: str, confirmed_stored: str) -> tuple[Document, bool]:
        stored = await self._find(desired)
        if stored is None:
            if confirmed:  # it was there: this may be another Syndesis
                self.forget()
            return await self._create(desired), True
        sure = UNSURE if stored["id"] in self._unsure else confirmed
        found = await self._differences(stored, desired, sure, confirmed_stored)
        if not found:
            return stored, False
        return await self._mend(stored, desired, found), True

    async def delete(self, evidence: ConnectionEvidence) -> str:
        """Delete what is ours; return a warning if integrations used it."""
        with self._believing_nothing_after_a_failure():
            return await self._drop(evidence)

    async def _drop(self, evidence: ConnectionEvidence) -> str:
        ours = await self._client.connections(lambda c: is_ours(c, evidence))
        warning = ""
        for connection in ours:
            uses = connection.get("uses")
            if isinstance(uses, int) and uses > 0:
                use = "1 integration uses" if uses == 1 else f"{uses} integrations use"
                warning = f"connection {connection.get('name')!r} was removed from Syndesis while {use} it"
            await self._delete(connection["id"])
        gone = {connection["id"] for connection in ours}
        if gone and await self._client.connections(lambda c: c["id"] in gone):
            raise SyndesisUnavailable(
                f"{self._client.url}: a deleted connection is still listed", reason="SyndesisFailed"
            )
        return warning

    async def verify(self, stored: Document, desired: DesiredConnection) -> Check:
        """Have the server try the connection as it is stored; advisory, so a failure of the call is an answer too."""
        properties = stored.get("configuredProperties") or {}
        try:
            results = await self._client.verify(desired.connector, properties)
        except Failure as error:
            return Check.failure("VerifierUnavailable", error.message)
        sent = {
            str(known[key]) for known in (desired.properties, properties) for key in desired.secret if known.get(key)
        }
        return check_of(results, frozenset(sent))

    async def _stored(self, identifier: str, connector: str | None = None) -> Document | None:
        """Return the connection of that id, from the list: by id the server also shows what was deleted (recorded)."""
        return next(iter(await self._client.connections(lambda c: c["id"] == identifier, connector)), None)

    async def _find(self, desired: DesiredConnection) -> Document | None:
        """Return the connection that is ours; others with our mark are left from a race whose loser could not be
        removed.

        Raises ``NameTaken`` if a foreign one has its name.
        """
        there = await self._client.connections(desired.concerns, desired.connector)
        owned = [c for c in there if is_ours(c, desired.evidence)]
        ours = next((c for c in owned if c["id"] == desired.id), None) or next(iter(owned), None)
        if ours is None and any(c.get("name") == desired.name for c in there):
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
        """Whether metadata that is missing can be put there; asked only where all of it is missing."""
        if stored.get("metadata"):
            return True
        if self._metadata is None or self._clock() >= self._metadata[0]:
            self._metadata = self._clock() + CONNECTOR_FRESH, await self._client.keeps_metadata()
        return self._metadata[1]

    async def _delete(self, identifier: str) -> None:
        await self._meant_alone(identifier)
        with suppress(SyndesisNotFound):
            await self._client.delete(identifier)
        self._unsure.discard(identifier)

    async def _meant_alone(self, identifier: str) -> None:
        """See that a write means no other connection: in an id, ``_`` stands for any character.

        (SqlJsonDB.java:512-527.) We make no such id; one may be taken over from a connection that was made otherwise.
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
        taken = f"{self._client.url}: a connection named {desired.name!r} exists and is not this pair's"
        return ForeignObject("ConnectionNameTaken", f"{taken}; rename or delete it in Syndesis")

    def _raced(self, desired: DesiredConnection) -> SyndesisUnavailable:
        raced = f"{self._client.url}: another client is creating connection {desired.name!r} at the same time"
        return SyndesisUnavailable(raced, reason="SyndesisRaced")

    async def _create(self, desired: DesiredConnection) -> Document:
        """Make it, and look at what came of it: two that are made at the same moment are both accepted.

        Of two that are ours the one with the lower id stays, so that two who make them agree on which.
        """
        desired = replace(desired, id=desired.evidence.generated.replace("_", "-"))
        await self._make_room(desired)
        await self._make_sure_of_secrets(desired)
        try:
            await self._client.create(new(desired, self._icon(desired)))
        except ForeignObject:
            if await self._client.connections(lambda c: is_marked(c, desired.evidence), desired.connector):
                raise self._raced(desired) from None
            raise self._taken(desired) from None
        there = await self._client.connections(desired.concerns)
        stored = next((c for c in there if c["id"] == desired.id), None)
        if stored is None:
            raise self._lost()
        twins = [
            c
            for c in there
            if c["id"] != desired.id and (c.get("name") == desired.name or is_marked(c, desired.evidence))
        ]
        strangers = [c for c in twins if not is_marked(c, desired.evidence)]
        in_clear = _in_clear(stored, desired)
        if in_clear or strangers or any(twin["id"] < desired.id for twin in twins):
            await self._delete(desired.id)
        if in_clear:
            raise self._unfit(desired, in_clear)
        if strangers:
            raise self._taken(desired)
        if any(twin["id"] < desired.id for twin in twins):
            raise self._raced(desired)
        for twin in twins:
            await self._delete(twin["id"])
        if await self._differences(stored, desired, desired.credentials):
            raise self._raced(desired)
        return stored

    def _icon(self, desired: DesiredConnection) -> str | None:
        known = self._connectors.get(desired.connector)
        return known[2] if known is not None else None

    async def _make_room(self, desired: DesiredConnection) -> None:
        """See that the id is free: what the server still shows of a deleted one would have the POST refused.

        A second deletion ends that. One of ours goes too where the connector is another one now.
        """
        if await self._client.connection(desired.id) is None:
            return
        there = await self._stored(desired.id)
        if there is not None and (
            there.get("connectorId") == desired.connector or not is_marked(there, desired.evidence)
        ):
            raise self._raced(desired)
        await self._delete(desired.id)

    async def _mend(self, stored: Document, desired: DesiredConnection, found: Changes) -> Document:
        """Write what differs, in the gentlest way that the server has for it; look again afterwards.

        The server itself reads and writes connections every 60 seconds without a lock, so a write may be lost.
        """
        await self._meant_alone(stored["id"])
        secrets = desired.secret & found.properties.keys()
        if secrets:
            await self._make_sure_of_secrets(desired)
            self._unsure.add(stored["id"])
        if found.removed or found.rest or not await self._set_properties(stored, found):
            await self._client.replace(replacement(stored, desired, found, self._icon(desired)))
        after = await self._stored(stored["id"], desired.connector)
        if after is None:
            raise self._lost()
        if in_clear := _in_clear(after, desired):
            raise self._unfit(desired, in_clear)
        kept = any(_property(after, key) == _property(stored, key) for key in secrets)
        if kept or await self._differences(after, desired, desired.credentials):
            raise self._lost()
        self._unsure.discard(stored["id"])
        return after

    async def _set_properties(self, stored: Document, found: Changes) -> bool:
        """Set properties alone; False where the release has no call for that."""
        try:
            await self._client.set_properties(stored["id"], found.properties)
        except SyndesisNotFound:
            log.debug("no call for properties", server=self._client.url)
            return False
        return True

    def _lost(self) -> SyndesisUnavailable:
        return SyndesisUnavailable(f"{self._client.url}: another write replaced this one", reason="SyndesisLostWrite")

    def _unfit(self, desired: DesiredConnection, in_clear: list[str]) -> ConnectorUnfit:
        """Return the failure for a secret in clear; the connector changed, and is read again before the next write."""
        self.forget()
        return ConnectorUnfit(
            "ConnectorUnfit", f"{self._client.url} stored {', '.join(in_clear)} in clear, and no more is sent"
        )


def _in_clear(stored: Document, desired: DesiredConnection) -> list[str]:
    """Return the secrets that are stored in clear."""
    values = {key: _property(stored, key) for key in sorted(desired.secret & desired.properties.keys())}
    return [key for key, value in values.items() if value is not None and not is_encrypted(value)]


def _property(stored: Document, key: str) -> object:
    properties = stored.get("configuredProperties")
    return properties.get(key) if isinstance(properties, dict) else None
