"""Connections over REST: a rendered document, its values, and the server of the namespace that it is for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from integration_operator.delivery.syndesis.client import Document
from integration_operator.delivery.syndesis.connection import Lookup, stored_hash, wanted
from integration_operator.delivery.syndesis.servers import Servers
from integration_operator.domain import naming
from integration_operator.domain.actions import Deliver, Withdraw
from integration_operator.domain.conditions import Announcement
from integration_operator.domain.ownership import ConnectionEvidence
from integration_operator.domain.remote import Remote

ConfigMaps = Callable[[str, str], Awaitable[Mapping[str, str]]]
"""The data of a ConfigMap, by namespace and name; empty where there is none."""


class SyndesisDelivery:
    """Connections on all Syndesis servers; ``secrets_of`` looks Secrets of a namespace up."""

    def __init__(self, servers: Servers, secrets_of: Callable[[str], Lookup], config_map: ConfigMaps) -> None:
        self._servers = servers
        self._secrets_of = secrets_of
        self._config_map = config_map

    async def deliver(self, action: Deliver) -> Remote:
        """Create or repair the connection, or check that it is as it was left."""
        namespace = action.pair.syndesis.namespace
        server = self._servers.of(namespace)
        identifier = action.handed_over or action.known.id or naming.connection_id(action.pair)
        secret = await server.secret_properties(action.document["spec"]["connectorId"])
        look_up, look_up_config = self._secrets_of(namespace), await self._config_maps_of(namespace, action.document)
        evidence = ConnectionEvidence.of(action.pair, action.known.id, action.username, handed_over=action.handed_over)
        want = wanted(action.document, identifier, evidence, action.credentials, secret, look_up, look_up_config)
        stored, written = await server.keep(want, action.known.credentials, action.known.stored)
        made = Remote(
            "rest",
            True,
            stored["id"],
            action.applied,
            action.credentials,
            verified=action.known.verified,
            stored=stored_hash(stored, want.secret),
        )
        if written:
            made = replace(made, verified=None)
        if action.verify:
            made = replace(made, verified=await server.verify(stored, want))
        return made

    async def _config_maps_of(self, namespace: str, document: Document) -> Lookup:
        """Return the values that a document names in ConfigMaps; they are not watched, so they are read each time."""
        sources = document["spec"].get("configuredPropertiesFrom") or ()
        names = {source["configMapKeyRef"]["name"] for source in sources if source.get("configMapKeyRef")}
        found = {name: await self._config_map(namespace, name) for name in sorted(names)}
        return lambda name, key: found.get(name, {}).get(key)

    async def withdraw(self, action: Withdraw) -> Announcement | None:
        """Delete the connection; return a warning if integrations use it."""
        evidence = ConnectionEvidence.of(action.pair, action.known.id, action.login or "")
        in_use = await self._servers.of(action.pair.syndesis.namespace).drop(evidence)
        return Announcement("Warning", "ConnectionInUse", in_use) if in_use else None

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        """Call back with the namespace of a Syndesis whose server answers again."""
        self._servers.on_recovery(callback)

    async def close(self) -> None:
        """Close all connections."""
        await self._servers.close()
