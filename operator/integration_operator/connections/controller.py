"""The life of a Connection on one screen: what is wanted, on the server, in the status.

A Connection carries a finalizer while its connection may be on the server. One that is handed over is let go without
touching the server: somebody else keeps the connection under the same id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import structlog

from integration_operator.api import names
from integration_operator.connections.status import status_of
from integration_operator.delivery.syndesis.connection import Wanted, specification, stored_hash, wanted
from integration_operator.delivery.syndesis.server import Server
from integration_operator.delivery.syndesis.servers import Servers
from integration_operator.domain import naming
from integration_operator.domain.credentials import Credential, decode
from integration_operator.domain.failure import Failure
from integration_operator.domain.live import Live
from integration_operator.domain.ownership import ConnectionEvidence
from integration_operator.domain.pair import Ref
from integration_operator.domain.platforms import Syndesis
from integration_operator.domain.readiness import can_connect
from integration_operator.domain.remote import credentials_hash
from integration_operator.domain.verdict import Verdict
from integration_operator.engine.pace import Pace
from integration_operator.engine.workqueue import BURST, PER_SECOND, WorkQueue
from integration_operator.kube import kinds
from integration_operator.kube.client import Client
from integration_operator.kube.errors import NotFound
from integration_operator.kube.finalizers import set_finalizer
from integration_operator.kube.reflector import Reflector, State
from integration_operator.kube.store import Store
from integration_operator.sources.syndesis import syndesis

Document = dict[str, Any]

MANAGER = "connection-controller"
"""The field manager of status and finalizer; the spec belongs to whoever wrote it."""
FINALIZER = "integreatly.org/connection"

SECRET_METADATA = replace(kinds.SECRET, metadata_only=True)
"""A watch tells that a Secret changed. Its values are not kept: tenants may label Secrets of 1 MB by the hundred."""

SERVERS_AT_ONCE = 4
"""So many servers at least share the workers: one that hangs holds a quarter of them, each for up to 15 seconds."""


class SecretVersion(NamedTuple):
    """Which Secret, and which state of it: enough to see that it changed."""

    ref: Ref
    version: str

    @classmethod
    def of(cls, document: Document) -> SecretVersion:
        """Read a Secret's metadata."""
        metadata = document["metadata"]
        return cls(Ref(metadata.get("namespace", ""), metadata["name"]), str(metadata.get("resourceVersion", "")))


class ConnectionController:
    """Keeps every Connection on its Syndesis; ``verification`` in seconds."""

    def __init__(
        self,
        client: Client,
        servers: Servers,
        *,
        workers: int = 8,
        verification: float = 600.0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.client = client
        self.queue: WorkQueue[Ref] = WorkQueue(
            group_of=lambda ref: ref.namespace,
            share=max(1, workers // SERVERS_AT_ONCE),
            pace=Pace(BURST, PER_SECOND, asyncio.get_running_loop().time),
        )
        self.connections: Store[Live] = Store(Live.of, {"namespace": lambda c: (c.ref.namespace,)})
        self.secrets: Store[SecretVersion] = Store(SecretVersion.of)
        self.instances: Store[Syndesis] = Store(syndesis, {"namespace": lambda s: (s.ref.namespace,)})
        self._servers = servers
        self._workers = workers
        self._verification = verification
        self._clock = asyncio.get_running_loop().time
        self._looked: dict[str, float] = {}
        self._settled = asyncio.Event()
        self._now = now
        self._log = structlog.get_logger(__name__)
        stores: list[tuple[kinds.Kind, Store[Any]]] = [
            (kinds.CONNECTION, self.connections),
            (SECRET_METADATA, self.secrets),
            (kinds.SYNDESIS, self.instances),
        ]
        self.reflectors = {
            kind.name: Reflector(client, kind, store, on_state=self._state_changed) for kind, store in stores
        }
        self.connections.subscribe(self._connection_changed)
        self.secrets.subscribe(self._neighbours_changed)
        servers.on_recovery(self._recovered)
        self.instances.subscribe(servers.syndesis_changed)
        self.instances.subscribe(self._neighbours_changed)

    async def reconcile(self, ref: Ref) -> float:
        """Bring one Connection to its server; return the seconds after which to look again, 0 for never."""
        connection = self.connections.get(ref)
        if connection is None:
            return 0.0
        if connection.deleting:
            await self._let_go(connection)
            return 0.0
        serving = self._serving(ref.namespace)
        if not serving:
            await self._say(connection, serving)
            return 0.0
        await self._finalize(connection, present=True)
        server = self._servers.of(ref.namespace)
        try:
            want = await self._wanted(connection, server)
            before = connection.document.get("status") or {}
            looked = self._looked.get(connection.uid, 0.0)
            settled = before.get("observedGeneration") == _generation(connection) and before.get("phase") == "Ready"
            if settled and before.get("credentialsHash") == want.credentials and self._clock() < looked:
                return looked - self._clock()
            confirmed = str(before.get("credentialsHash") or ""), str(before.get("storedHash") or "")
            stored, written = await server.keep(want, *confirmed)
            tried = (before.get("lastVerified") or {}).get("status")
            verified = await server.verify(stored, want) if written or tried != "OK" else None
        except Failure as error:
            await self._say(connection, Verdict.deny(error.reason, error.message))
            if error.stalls:
                return self._verification
            raise
        ready = Verdict.allow("Delivered", f"Syndesis has it as {stored['id']}")
        await self._say(
            connection,
            ready,
            connection_id=stored["id"],
            credentials=want.credentials,
            stored=stored_hash(stored, want.secret),
            verified=verified,
        )
        self._looked[connection.uid] = self._clock() + self._verification
        return self._verification

    async def run(self) -> None:
        """Reflect and work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for reflector in self.reflectors.values():
                group.create_task(reflector.run(), name=f"reflector {reflector.kind}")
            for number in range(self._workers):
                group.create_task(self._work(), name=f"worker {number}")

    async def stop(self) -> None:
        """Take no more keys, and return once what is in flight is finished."""
        self.queue.close()
        await self.queue.finished()
        await self._servers.close()

    def unsettled(self) -> dict[str, str]:
        """The kinds that are neither in sync nor absent, with what is wrong."""
        return {
            name: reflector.problem or "not listed yet"
            for name, reflector in self.reflectors.items()
            if reflector.state in (State.STARTING, State.FAILING)
        }

    async def _work(self) -> None:
        await self._settled.wait()
        while (ref := await self.queue.take()) is not None:
            try:
                wait = await self.reconcile(ref)
                self.queue.succeeded(ref)
                if wait:
                    self.queue.add_after(ref, wait)
            except Failure as error:
                if error.deferred:
                    self.queue.add_after(ref, error.retry_after or 0.0)
                    continue
                self._log.info("refused", connection=str(ref), error=str(error))
                self.queue.retry(ref, at_least=error.retry_after or 0.0, longest=error.longest_delay)
            except Exception:  # a defect in the handling of one must not stop the others
                self._log.exception("unexpected", connection=str(ref))
                self.queue.retry(ref, at_least=1.0)
            finally:
                self.queue.done(ref)

    def _serving(self, namespace: str) -> Verdict:
        """Whether the namespace has a Syndesis that can take connections."""
        said = [can_connect(instance) for instance in self.instances.by("namespace", namespace)]
        if not said:
            return Verdict.deny("NoSyndesis", f"there is no Syndesis in namespace {namespace}")
        found = next((verdict for verdict in said if verdict), said[0])
        return found if found else Verdict.deny("NoSyndesis", found.message)

    async def _wanted(self, connection: Live, server: Server) -> Wanted:
        document = connection.document
        spec = specification(document)  # before anything in it leads to a request
        evidence = _evidence(connection)
        secret = await server.secret_properties(spec.connector_id)
        want = wanted(
            document,
            evidence.generated,
            evidence,
            "",
            secret,
            await self._values(connection, "secretKeyRef", "secrets"),
            await self._values(connection, "configMapKeyRef", "configmaps"),
        )
        credential = Credential(want.properties.get("username", ""), want.secret_text)
        return replace(want, credentials=credentials_hash(credential, evidence.marker))

    async def _values(self, connection: Live, source: str, plural: str) -> Callable[[str, str], str | None]:
        """Return the values of the Secrets or ConfigMaps that a Connection names, read when they are needed."""
        found: dict[str, Document] = {}
        for entry in connection.document["spec"].get("configuredPropertiesFrom") or ():
            if (reference := entry.get(source)) is None or reference["name"] in found:
                continue
            found[reference["name"]] = await self._asked(plural, Ref(connection.ref.namespace, reference["name"]))
        encoded = plural == "secrets"

        def look_up(name: str, key: str) -> str | None:
            value = ((found.get(name) or {}).get("data") or {}).get(key)
            return decode(value) if encoded and value is not None else value

        return look_up

    async def _asked(self, plural: str, at: Ref) -> Document:
        try:
            return await self.client.get(f"/api/v1/namespaces/{at.namespace}/{plural}/{at.name}")
        except NotFound:
            return {}

    async def _let_go(self, connection: Live) -> None:
        """Take the connection off the server, unless it was handed over or went with its Syndesis."""
        if FINALIZER not in (connection.document["metadata"].get("finalizers") or ()):
            return
        handed_over = connection.annotations.get(names.HANDED_OVER) == "rest"
        if not handed_over and self.instances.by("namespace", connection.ref.namespace):
            server = self._servers.of(connection.ref.namespace)
            if warning := await server.drop(_evidence(connection)):
                self._log.warning("in use", connection=str(connection.ref), warning=warning)
        await self._finalize(connection, present=False)
        self._looked.pop(connection.uid, None)

    async def _finalize(self, connection: Live, *, present: bool) -> None:
        there = FINALIZER in (connection.document["metadata"].get("finalizers") or ())
        if there != present:
            path, document = self._identified(connection)
            self._wrote(await set_finalizer(self.client, path, document, FINALIZER, present=present, manager=MANAGER))

    async def _say(self, connection: Live, ready: Verdict, **rest: Any) -> None:
        """Write the status, if it says anything else than before."""
        before = connection.document.get("status") or {}
        now = self._now().strftime("%Y-%m-%dT%H:%M:%SZ")
        status = status_of(before, ready, generation=_generation(connection), now=now, **rest)
        if any(before.get(key) != value for key, value in status.items()):
            path, document = self._identified(connection)
            document["status"] = status
            self._wrote(await self.client.apply(f"{path}/status", document, manager=MANAGER, force=True))

    def _identified(self, connection: Live) -> tuple[str, Document]:
        """Return a Connection's path, and the document that means this very one."""
        served = self.reflectors["Connection"].served
        assert served is not None
        identity = {"name": connection.ref.name, "namespace": connection.ref.namespace, "uid": connection.uid}
        return served.item(*connection.ref), {
            "apiVersion": served.api_version,
            "kind": "Connection",
            "metadata": identity,
        }

    def _wrote(self, answer: Document) -> None:
        served = self.reflectors["Connection"].served
        assert served is not None
        answer["apiVersion"], answer["kind"] = served.api_version, "Connection"
        self.connections.wrote(answer)

    def _recovered(self, namespace: str) -> None:
        """Requeue what waits for a server that answers again."""
        for connection in self.connections.by("namespace", namespace):
            self.queue.add(connection.ref)

    def _connection_changed(self, old: Live | None, new: Live | None) -> None:
        if new is not None:
            self.queue.add(new.ref)

    def _neighbours_changed(self, old: SecretVersion | Syndesis | None, new: SecretVersion | Syndesis | None) -> None:
        """Requeue the Connections of a namespace if one of its Secrets or its Syndesis changed."""
        for changed in (old, new):
            if changed is not None:
                for connection in self.connections.by("namespace", changed.ref.namespace):
                    self.queue.add(connection.ref)

    def _state_changed(self, kind: kinds.Kind, state: State) -> None:
        if not self.unsettled():
            self._settled.set()
            for connection in self.connections:
                self.queue.add(connection.ref)


def _evidence(connection: Live) -> ConnectionEvidence:
    """Return what tells a Connection's connection on the server.

    The id that a Connection names takes a connection over: whoever may write the Connection runs that Syndesis.
    """
    spec, status = connection.document.get("spec") or {}, connection.document.get("status") or {}
    own = naming.controller_connection_id(connection.ref)
    marker = connection.labels.get(names.INTEGRATION_LABEL) or f"{connection.ref.namespace}.{connection.ref.name}"
    taken = spec.get("connectionId") or status.get("connectionId")
    return ConnectionEvidence(marker, str(taken or own), frozenset({own}))


def _generation(connection: Live) -> int:
    return int(connection.document["metadata"].get("generation", 0))
