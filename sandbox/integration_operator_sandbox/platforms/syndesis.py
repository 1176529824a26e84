"""A SIMULATION of a Syndesis that reconciles ``Connection`` resources. It integrates nothing.

No release of Syndesis does this; Syndesis issue 3692 asked for it. The content of its database is in ``connections``.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from integration_operator.runtime.client import Client
from integration_operator_sandbox.platforms.informer import Document, Informer, Key, WorkQueue, key_of, run_controllers

GROUP = "/apis/syndesis.io"
VERSION = "1.13.2"

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Stored:
    """A connection as a Syndesis has it, with ``properties`` in plain text."""

    id: str
    connector: str
    properties: dict[str, str]


class SimulatedSyndesis:
    """The simulated controllers of Syndesis and Connection resources.

    A Syndesis without a status is ``Installed`` after ``ready_after`` seconds, a second one in a namespace never. A
    Connection is ``Ready`` when everything that it refers to exists, and follows each change. Without
    ``reconciles_connections``, Connections are ignored, as by every release of Syndesis.
    """

    def __init__(
        self, client: Client, *, ready_after: float = 0.2, workers: int = 1, reconciles_connections: bool = True
    ) -> None:
        self.connections: dict[Key, Stored] = {}
        self._client = client
        self._ready_after = ready_after
        self._workers = workers if reconciles_connections else 0
        self._instance_queue, self._connection_queue = WorkQueue(), WorkQueue()
        self._instances = Informer(client, f"{GROUP}/v1beta3/syndesises", self._instance_changed)
        self._connections = Informer(client, f"{GROUP}/v1alpha1/connections", self._connection_queue.add)
        self._secrets = Informer(client, "/api/v1/secrets", lambda key: self._source_changed("secretKeyRef", key))
        self._config_maps = Informer(
            client, "/api/v1/configmaps", lambda key: self._source_changed("configMapKeyRef", key)
        )
        self._due: dict[str, float] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Run the controllers until ``stop`` is set."""
        log.info("Syndesis is simulated: nothing is integrated", platform="simulated Syndesis")
        informers = (self._instances, self._connections, self._secrets, self._config_maps)
        await run_controllers(
            stop,
            informers,
            self._instance_queue.work(self._reconcile_instance),
            *(self._connection_queue.work(self._reconcile_connection) for _ in range(self._workers)),
        )

    def _instance_changed(self, key: Key) -> None:
        for instance in self._instances.inside(key[0]):  # where one goes, a duplicate may be installed
            self._instance_queue.add(instance)
        for connection in self._connections.inside(key[0]):
            self._connection_queue.add(connection)

    def _source_changed(self, reference: str, key: Key) -> None:
        for connection in self._connections.inside(key[0]):
            entries = _references(self._connections.objects[connection])
            if any(entry.get(reference, {}).get("name") == key[1] for entry in entries):
                self._connection_queue.add(connection)

    async def _reconcile_instance(self, key: Key) -> None:
        """Install a Syndesis, unless its namespace has one already."""
        instance = self._instances.objects.get(key)
        if instance is None or "deletionTimestamp" in instance["metadata"]:
            return
        status = instance.get("status") or {}
        if status and status.get("reason") != "Duplicate":
            return
        if any(self._is_installed(other) for other in self._instances.inside(key[0]) if other != key):
            wanted = {"phase": "NotInstalled", "reason": "Duplicate", "description": "simulated"}
        else:
            uid, now = instance["metadata"]["uid"], asyncio.get_running_loop().time()
            wait = self._due.setdefault(uid, now + self._ready_after) - now
            if wait > 0:
                asyncio.get_running_loop().call_later(wait, self._instance_queue.add, key)
                return
            wanted = {"phase": "Installed", "reason": "", "description": "simulated", "version": VERSION}
        await self._write_status(self._instances, "v1beta3", "syndesises", instance, wanted)

    def _is_installed(self, key: Key) -> bool:
        return bool((self._instances.objects[key].get("status") or {}).get("phase") == "Installed")

    async def _reconcile_connection(self, key: Key) -> None:
        """Store the connection as the resource describes it, or report what is missing."""
        connection = self._connections.objects.get(key)
        if connection is None or "deletionTimestamp" in connection["metadata"]:
            self.connections.pop(key, None)
            return
        if not any(map(self._is_installed, self._instances.inside(key[0]))):
            return  # no Syndesis could do it
        spec, status = connection["spec"], connection.get("status") or {}
        properties: dict[str, str] = dict(spec.get("configuredProperties") or {})
        missing = []
        for entry in _references(connection):
            value = self._value(key[0], entry)
            if value is not None:
                properties[entry["property"]] = value
            elif not (entry.get("secretKeyRef") or entry["configMapKeyRef"]).get("optional"):
                missing.append(entry["property"])
        if missing:
            wanted = _status(connection, "Pending", "PropertyMissing", f"no value for {', '.join(missing)}")
        else:
            generated = "i-" + connection["metadata"]["uid"].replace("-", "")[:20]
            id_ = status.get("connectionId") or spec.get("connectionId") or generated
            self.connections[key] = Stored(id_, spec["connectorId"], properties)
            wanted = {**_status(connection, "Ready", "Stored", "a simulated Syndesis has it"), "connectionId": id_}
        await self._write_status(self._connections, "v1alpha1", "connections", connection, wanted)

    def _value(self, namespace: str, entry: Document) -> str | None:
        if secret := entry.get("secretKeyRef"):
            found = self._secrets.objects.get((namespace, secret["name"]), {}).get("data") or {}
            encoded = found.get(secret["key"])
            return None if encoded is None else base64.b64decode(encoded).decode(errors="replace")
        plain = entry["configMapKeyRef"]
        data = self._config_maps.objects.get((namespace, plain["name"]), {}).get("data") or {}
        return data.get(plain["key"])

    async def _write_status(
        self, informer: Informer, version: str, plural: str, document: Document, wanted: dict[str, Any]
    ) -> None:
        """Patch the fields of the status that differ."""
        known = document.get("status") or {}
        changes = {name: value for name, value in wanted.items() if known.get(name) != value}
        if changes:
            namespace, name = key_of(document)
            path = f"{GROUP}/{version}/namespaces/{namespace}/{plural}/{name}/status"
            informer.put(await self._client.patch(path, {"status": changes}))
            if "phase" in changes:
                what = {"platform": "simulated Syndesis", "object": f"{namespace}/{name}"}
                log.info(f"{document['kind']} is {wanted['phase']}", **what)


def _references(connection: Document) -> list[Document]:
    return (connection.get("spec") or {}).get("configuredPropertiesFrom") or []


def _status(connection: Document, phase: str, reason: str, message: str) -> Document:
    generation, holds = connection["metadata"]["generation"], "True" if phase == "Ready" else "False"
    since = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    for known in (connection.get("status") or {}).get("conditions") or ():
        if known["type"] == "Ready" and known["status"] == holds:
            since = known["lastTransitionTime"]
    ready = {
        "type": "Ready",
        "status": holds,
        "reason": reason,
        "message": message,
        "observedGeneration": generation,
        "lastTransitionTime": since,
    }
    return {"phase": phase, "observedGeneration": generation, "conditions": [ready]}
