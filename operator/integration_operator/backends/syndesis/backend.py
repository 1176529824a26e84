"""The REST backend for connections: renders values into a document and sends it to the server of its namespace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from integration_operator.backends.syndesis.client import Document
from integration_operator.backends.syndesis.connection import Lookup, desired_connection, stored_hash
from integration_operator.backends.syndesis.connection_services import ConnectionServices
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import DeleteRemote, EnsureRemote
from integration_operator.domain.model.remote_state import Presence, RemoteState
from integration_operator.domain.policies.ownership import ConnectionEvidence
from integration_operator.runtime.conditions import Event

ConfigMaps = Callable[[str, str], Awaitable[Mapping[str, str]]]
"""Returns the data of a ConfigMap by namespace and name; empty if there is none."""


class SyndesisBackend:
    """Manages connections on all Syndesis servers. ``secrets_of`` returns the lookup of Secrets of a namespace."""

    def __init__(
        self, services: ConnectionServices, secrets_of: Callable[[str], Lookup], config_map: ConfigMaps
    ) -> None:
        self._services = services
        self._secrets_of = secrets_of
        self._config_map = config_map

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        """Create, update or check the connection."""
        namespace = action.pair.syndesis.namespace
        service = self._services.of(namespace)
        identifier = action.adopted_id or action.remote.id or naming.connection_id(action.pair)
        secret = await service.secret_properties(action.document["spec"]["connectorId"])
        look_up, look_up_config = self._secrets_of(namespace), await self._config_maps_of(namespace, action.document)
        evidence = ConnectionEvidence.of(action.pair, action.remote.id, action.username, adopted_id=action.adopted_id)
        desired = desired_connection(
            action.document, identifier, evidence, action.credentials, secret, look_up, look_up_config
        )
        stored, written = await service.ensure(desired, action.remote.credentials, action.remote.stored)
        state = RemoteState(
            "rest",
            Presence.PRESENT,
            stored["id"],
            action.applied,
            action.credentials,
            verified=action.remote.verified,
            stored=stored_hash(stored, desired.secret),
        )
        if written:
            state = replace(state, verified=None)
        if action.verify:
            state = replace(state, verified=await service.verify(stored, desired))
        return state

    async def _config_maps_of(self, namespace: str, document: Document) -> Lookup:
        """Read the ConfigMaps that a document references; they are not watched, so they are read each time."""
        sources = document["spec"].get("configuredPropertiesFrom") or ()
        names = {source["configMapKeyRef"]["name"] for source in sources if source.get("configMapKeyRef")}
        config_maps = {name: await self._config_map(namespace, name) for name in sorted(names)}
        return lambda name, key: config_maps.get(name, {}).get(key)

    async def delete(self, action: DeleteRemote) -> Event | None:
        """Delete the connection; return a warning if integrations use it."""
        evidence = ConnectionEvidence.of(action.pair, action.remote.id, action.login or "")
        in_use = await self._services.of(action.pair.syndesis.namespace).delete(evidence)
        return Event("Warning", "ConnectionInUse", in_use) if in_use else None

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        """Call ``callback`` with the namespace of a Syndesis whose server recovered."""
        self._services.on_recovery(callback)

    def open_circuits(self) -> int:
        """Return the number of Syndesis servers to which requests are held back."""
        return self._services.open_circuits()

    async def close(self) -> None:
        """Close all connections."""
        await self._services.close()
