"""The life of a Connection on one screen: what is desired, on the server, in the status.

A Connection carries a finalizer while its connection may exist on the server. One that is released to REST loses it
without a request: the operator keeps the connection under the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from integration_operator import metrics, resources
from integration_operator.api import names
from integration_operator.backends.syndesis.connection import (
    DesiredConnection,
    desired_connection,
    specification,
    stored_hash,
)
from integration_operator.backends.syndesis.connection_service import ConnectionService
from integration_operator.backends.syndesis.connection_services import ConnectionServices
from integration_operator.controllers.connection.status import connection_status
from integration_operator.domain.model import naming
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.conditions import state_of
from integration_operator.domain.model.credential import Credential, decode
from integration_operator.domain.model.platforms import Syndesis
from integration_operator.domain.model.remote_state import credentials_hash
from integration_operator.domain.policies.ownership import ConnectionEvidence
from integration_operator.domain.policies.readiness import can_connect
from integration_operator.platforms.syndesis import syndesis
from integration_operator.runtime.client import Client
from integration_operator.runtime.controller import Controller, Result
from integration_operator.runtime.errors import Failure, NotFound
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import Callbacks, Reflector, State, refresh
from integration_operator.runtime.resources import Resource
from integration_operator.runtime.store import Store
from integration_operator.runtime.token_bucket import TokenBuckets
from integration_operator.runtime.tracing import Tracer
from integration_operator.runtime.workqueue import BURST, PER_SECOND, WorkQueue
from integration_operator.runtime.writer import Writer

Document = dict[str, Any]

MANAGER = "connection-controller"
"""The field manager of status and finalizer; the spec belongs to whoever wrote it."""

SECRET_METADATA = replace(resources.SECRET, metadata_only=True)
"""A watch shows that a Secret changed. Its values are not kept: tenants may label Secrets of 1 MB by the hundred."""

SERVERS_AT_ONCE = 4
"""Servers that share the workers at least: one that hangs holds a quarter of them, each for up to 15 seconds."""


class SecretVersion(NamedTuple):
    """A Secret and its version: enough to see that it changed."""

    ref: Ref
    version: str

    @classmethod
    def of(cls, document: Document) -> SecretVersion:
        """Parse a Secret's metadata."""
        metadata = document["metadata"]
        return cls(Ref(metadata.get("namespace", ""), metadata["name"]), str(metadata.get("resourceVersion", "")))


class ConnectionController:
    """Keeps every Connection on its Syndesis server; ``verification`` is in seconds."""

    def __init__(
        self,
        client: Client,
        services: ConnectionServices,
        *,
        workers: int = 8,
        verification: float = 600.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        tracer: Tracer | None = None,
    ) -> None:
        self.client = client
        self._clock = asyncio.get_running_loop().time
        self.queue: WorkQueue[Ref] = WorkQueue(
            group_of=lambda ref: ref.namespace,
            share=max(1, workers // SERVERS_AT_ONCE),
            rate_limit=TokenBuckets(BURST, PER_SECOND, self._clock),
            on_get=metrics.CONTROLLER.queue_seconds.observe,
        )
        self.connections: Store[LiveObject] = Store(
            lambda document: LiveObject.of(document, names.FIELD_MANAGER),
            {"namespace": lambda c: (c.ref.namespace,), "state": _state},
        )
        self.secrets: Store[SecretVersion] = Store(SecretVersion.of)
        self.instances: Store[Syndesis] = Store(syndesis, {"namespace": lambda s: (s.ref.namespace,)})
        self.services = services
        self._verification = verification
        self._verified_until: dict[str, float] = {}
        self._synced = asyncio.Event()
        self._now = now
        self._log = structlog.get_logger(__name__)
        stores: list[tuple[Resource, Store[Any]]] = [
            (resources.CONNECTION, self.connections),
            (SECRET_METADATA, self.secrets),
            (resources.SYNDESIS, self.instances),
        ]
        callbacks = Callbacks(on_state=self._state_changed, on_watch_end=metrics.CONTROLLER.observe_watch_end)
        self.reflectors = {
            resource.kind: Reflector(client, resource, store, callbacks=callbacks) for resource, store in stores
        }
        self._writer: Writer[LiveObject] = Writer(client, self.reflectors["Connection"], MANAGER)
        self._controller = Controller(
            self.reconcile,
            self.queue,
            kind="Connection",
            workers=workers,
            synced=self._synced.wait,
            metrics=metrics.CONTROLLER,
            log_fields=Ref._asdict,
            clock=self._clock,
            tracer=tracer,
        )
        self.connections.subscribe(self._connection_changed)
        self.secrets.subscribe(self._neighbour_changed)
        services.on_recovery(self._recovered)
        self.instances.subscribe(services.syndesis_changed)
        self.instances.subscribe(self._neighbour_changed)

    async def reconcile(self, ref: Ref) -> Result:
        """Bring one Connection to its server, and report."""
        connection = self.connections.get(ref)
        if connection is None:
            return Result()
        if connection.deleting:
            await self._release(connection)
            return Result()
        if not (serving := self._serving(ref.namespace)):
            await self._report(connection, serving)
            return Result()
        await self._set_finalizer(connection, present=True)
        service = self.services.of(ref.namespace)
        try:
            desired = await self._desired(connection, service)
            before = connection.document.get("status") or {}
            verified_until = self._verified_until.get(connection.uid, 0.0)
            settled = before.get("observedGeneration") == _generation(connection) and before.get("phase") == "Ready"
            if settled and before.get("credentialsHash") == desired.credentials and self._clock() < verified_until:
                return Result(verified_until - self._clock())
            confirmed = str(before.get("credentialsHash") or ""), str(before.get("storedHash") or "")
            stored, written = await service.ensure(desired, *confirmed)
            last = (before.get("lastVerified") or {}).get("status")
            verified = await service.verify(stored, desired) if written or last != "OK" else None
        except Failure as error:
            await self._report(connection, Check.failure(error.reason, error.message))
            if error.stalls:
                return Result(self._verification)
            raise
        await self._report(
            connection,
            Check.success("Delivered", f"Syndesis has it as {stored['id']}"),
            connection_id=stored["id"],
            credentials=desired.credentials,
            stored=stored_hash(stored, desired.secret),
            verified=verified,
        )
        self._verified_until[connection.uid] = self._clock() + self._verification
        return Result(self._verification)

    async def watch(self) -> None:
        """Run the reflectors until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self.reflectors.values():
                group.create_task(reflector.run(), name=f"reflector {reflector.resource}")

    async def run(self) -> None:
        """Run the workers until cancelled."""
        await self._controller.run()

    def stand_by(self) -> None:
        """Reconcile nothing until ``lead``: another process does that."""
        self.queue.paused = True

    async def lead(self) -> None:
        """Reconcile every Connection from now on, with stores that show all that was written before."""
        await refresh(self.reflectors.values())
        self.queue.paused = False
        self._enqueue_all()

    async def stop(self) -> bool:
        """Hand out no more keys; return True once everything that runs has finished."""
        await self._controller.stop()
        await self.services.close()
        return True

    def unsynced(self) -> dict[str, str]:
        """Return the kinds that are neither in sync nor absent, with what is wrong."""
        return {
            kind: reflector.problem or "not listed yet"
            for kind, reflector in self.reflectors.items()
            if reflector.state in (State.STARTING, State.FAILING)
        }

    def _serving(self, namespace: str) -> Check:
        """Check that the namespace has a Syndesis that can take connections."""
        checks = [can_connect(instance) for instance in self.instances.by("namespace", namespace)]
        if not checks:
            return Check.failure("NoSyndesis", f"There is no Syndesis in namespace {namespace}")
        best = next((check for check in checks if check), checks[0])
        return best if best else Check.failure("NoSyndesis", best.message)

    async def _desired(self, connection: LiveObject, service: ConnectionService) -> DesiredConnection:
        document = connection.document
        spec = specification(document)  # before anything in it leads to a request
        evidence = _evidence(connection)
        secret = await service.secret_properties(spec.connector_id)
        desired = desired_connection(
            document,
            evidence.generated,
            evidence,
            "",
            secret,
            await self._values(connection, "secretKeyRef", "secrets"),
            await self._values(connection, "configMapKeyRef", "configmaps"),
        )
        credential = Credential(desired.properties.get("username", ""), desired.secret_text)
        return replace(desired, credentials=credentials_hash(credential, evidence.marker))

    async def _values(self, connection: LiveObject, source: str, plural: str) -> Callable[[str, str], str | None]:
        """Return the values of the Secrets or ConfigMaps that a Connection names, read when they are needed."""
        by_name: dict[str, Document] = {}
        for entry in connection.document["spec"].get("configuredPropertiesFrom") or ():
            if (reference := entry.get(source)) is None or reference["name"] in by_name:
                continue
            by_name[reference["name"]] = await self._get(plural, Ref(connection.ref.namespace, reference["name"]))
        encoded = plural == "secrets"

        def look_up(name: str, key: str) -> str | None:
            value = ((by_name.get(name) or {}).get("data") or {}).get(key)
            return decode(value) if encoded and value is not None else value

        return look_up

    async def _get(self, plural: str, ref: Ref) -> Document:
        try:
            return await self.client.get(f"/api/v1/namespaces/{ref.namespace}/{plural}/{ref.name}")
        except NotFound:
            return {}

    async def _release(self, connection: LiveObject) -> None:
        """Delete the connection on the server, unless REST keeps it or it went with its Syndesis."""
        if names.CONNECTION_FINALIZER not in (connection.document["metadata"].get("finalizers") or ()):
            return
        released_to_rest = connection.annotations.get(names.HANDED_OVER) == "rest"
        if not released_to_rest and self.instances.by("namespace", connection.ref.namespace):
            service = self.services.of(connection.ref.namespace)
            if warning := await service.delete(_evidence(connection)):
                self._log.warning("connection in use", **connection.ref._asdict(), warning=warning)
        await self._set_finalizer(connection, present=False)
        self._verified_until.pop(connection.uid, None)

    async def _set_finalizer(self, connection: LiveObject, *, present: bool) -> None:
        finalizer = names.CONNECTION_FINALIZER
        if present != (finalizer in (connection.document["metadata"].get("finalizers") or ())):
            await self._writer.set_finalizer(connection.ref, connection.uid, finalizer, present=present)

    async def _report(self, connection: LiveObject, ready: Check, **details: Any) -> None:
        """Write the status, if it changed."""
        before = connection.document.get("status") or {}
        now = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        status = connection_status(before, ready, generation=_generation(connection), now=now, **details)
        if any(before.get(key) != value for key, value in status.items()):
            await self._writer.apply_status(connection.ref, connection.uid, status)

    def _recovered(self, namespace: str) -> None:
        """Requeue what waits for a server that answers again."""
        self._enqueue_namespace(namespace)

    def _connection_changed(self, old: LiveObject | None, new: LiveObject | None) -> None:
        if new is not None:
            self.queue.add(new.ref)

    def _neighbour_changed(self, old: SecretVersion | Syndesis | None, new: SecretVersion | Syndesis | None) -> None:
        """Requeue the Connections of a namespace if one of its Secrets or its Syndesis changed."""
        for state in (old, new):
            if state is not None:
                self._enqueue_namespace(state.ref.namespace)

    def _enqueue_namespace(self, namespace: str) -> None:
        for connection in self.connections.by("namespace", namespace):
            self.queue.add(connection.ref)

    def _state_changed(self, resource: Resource, state: State) -> None:
        if not self.unsynced():
            self._synced.set()
            self._enqueue_all()

    def _enqueue_all(self) -> None:
        for connection in self.connections:
            self.queue.add(connection.ref)


def _evidence(connection: LiveObject) -> ConnectionEvidence:
    """Return the evidence for a Connection's connection on the server.

    The id that a Connection names takes a connection over: whoever may write the Connection runs that Syndesis.
    """
    spec, status = connection.document.get("spec") or {}, connection.document.get("status") or {}
    own = naming.controller_connection_id(connection.ref)
    marker = connection.labels.get(names.INTEGRATION_LABEL) or f"{connection.ref.namespace}.{connection.ref.name}"
    named = spec.get("connectionId") or status.get("connectionId")
    return ConnectionEvidence(marker, str(named or own), frozenset({own}))


def _state(connection: LiveObject) -> Iterable[Hashable]:
    """Index Connections by the state that their status shows, and its reason."""
    return (state_of(connection.document.get("status"), deleting=connection.deleting),)


def _generation(connection: LiveObject) -> int:
    return int(connection.document["metadata"].get("generation", 0))
