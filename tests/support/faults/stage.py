"""What a scenario has at hand: namespaces of its own, and what users and platforms write in them."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from typing import Any

from integration_operator_sandbox.controlplane import ControlPlane
from tests.support.documents import PATHS, path, space_status
from tests.support.faults.admin import Admin, Document, Refused
from tests.support.faults.expectation import Ref
from tests.support.faults.operator_process import Deployment
from tests.support.faults.oracle import crowded
from tests.support.faults.platforms import Platforms
from tests.support.faults.snapshot import Snapshot, condition, read_objects

HOST = "messaging-a1.enmasse-infra.svc"
POLL = 0.03
HAS_STATUS = ("Syndesis", "Integration")
"""Kinds whose status is written apart."""


class Stage:
    """The part of a control plane that belongs to one run."""

    def __init__(self, control_plane: ControlPlane, admin: Admin, platforms: Platforms, tag: str) -> None:
        self.control_plane = control_plane
        self.admin = admin
        self.platforms = platforms
        self.deployment: Deployment | None = None
        self.leader: Callable[[], int] = lambda: 0
        """Returns the number of the process that leads."""
        self.tag = tag
        self.namespaces: list[str] = []
        self.neighbours: list[str] = []
        """Namespaces of the bystanders."""
        self.foreign: dict[tuple[str, Ref], Document] = {}
        """Objects that users and platforms made, as they were written last."""

    async def namespace(self, name: str) -> str:
        """Create a namespace, and return its full name."""
        full = f"{name}-{self.tag}"
        await self.admin.create("/api/v1/namespaces", {"metadata": {"name": full}})
        if full not in self.namespaces:
            self.namespaces.append(full)
        return full

    async def delete_namespace(self, namespace: str) -> None:
        """Delete a namespace as a user does, and wait until it is gone."""
        self.foreign = {key: item for key, item in self.foreign.items() if key[1].namespace != namespace}
        at = f"/api/v1/namespaces/{namespace}"
        await self.admin.delete(at)

        async def gone() -> bool:
            return await self.admin.get(at) is None

        await self.eventually(f"{namespace} is gone", gone)

    async def create(self, kind: str, ref: Ref, **rest: Any) -> None:
        """Create an object as a user or a platform does."""
        metadata = {"name": ref.name, "namespace": ref.namespace, **rest.pop("metadata", {})}
        root = PATHS[kind][0].removeprefix("/apis/").removeprefix("/api/")
        document = {"apiVersion": root, "kind": kind, "metadata": metadata, **rest}
        written = await self.admin.create(path(kind, ref.namespace), document)
        if "status" in rest and kind in HAS_STATUS:
            written = await self.admin.patch(f"{path(kind, *ref)}/status", {"status": rest["status"]})
        self.foreign[kind, ref] = written

    async def patch(self, kind: str, ref: Ref, document: Document) -> None:
        """Change an object as a user or a platform does."""
        written = await self.admin.patch(path(kind, *ref), document)
        if (kind, ref) in self.foreign:
            self.foreign[kind, ref] = written

    async def delete(self, kind: str, ref: Ref) -> None:
        """Delete an object as a user does. A Syndesis takes its server with it."""
        self.foreign.pop((kind, ref), None)
        await self.admin.delete(path(kind, *ref))
        if kind == "Syndesis":
            self.platforms.uninstall_server()

    async def space(self, namespace: str, name: str = "orders", *, ca: str | None = None, **annotations: str) -> Ref:
        """Create a ready AddressSpace; annotations are given by the end of their name."""
        ref = Ref(namespace, name)
        chosen = {f"integreatly.org/{key.replace('_', '-')}": value for key, value in annotations.items()}
        chosen["enmasse.io/realm-name"] = f"{namespace}-{name}"
        spec = {"type": "standard", "plan": "standard-small", "authenticationService": {"name": "standard-authservice"}}
        status = space_status(HOST)
        if ca is not None:
            status["caCert"] = base64.b64encode(ca.encode()).decode()
        await self.create("AddressSpace", ref, metadata={"annotations": chosen}, spec=spec, status=status)
        return ref

    async def syndesis(self, namespace: str, *, native: bool = True, **annotations: str) -> Ref:
        """Create an installed Syndesis; ``native``: something reconciles Connections in its namespace."""
        ref = Ref(namespace, "syndesis")
        if native:
            annotations["integreatly.org/connection-delivery"] = "native"
        metadata = {"annotations": annotations}
        await self.create("Syndesis", ref, metadata=metadata, spec={}, status={"phase": "Installed"})
        return ref

    async def integration(self, space: Ref, syndesis: Ref) -> Ref:
        """Wait until the pair is offered, and return its Integration."""

        async def offer() -> Ref | None:
            objects = await self.admin.items(path("Integration", syndesis.namespace))
            found = Snapshot({"Integration": objects}).integrations_of(space, syndesis)
            return Ref(syndesis.namespace, found[0]["metadata"]["name"]) if found else None

        ref: Ref = await self.eventually(f"{space} is offered to {syndesis}", offer)
        return ref

    async def enable(self, space: Ref, syndesis: Ref, *, enabled: bool = True) -> None:
        """Enable the offer of a pair as a user does; again if it was offered anew meanwhile."""

        async def changed() -> bool:
            ref = await self.integration(space, syndesis)
            try:
                await self.admin.patch(path("Integration", *ref), {"spec": {"enabled": enabled}})
            except Refused as error:
                if error.status != 404:
                    raise
                return False
            return True

        await self.eventually(f"{space} is enabled", changed)

    async def rotate(self, space: Ref, syndesis: Ref) -> None:
        """Request another credential, and wait until the earlier one is gone."""
        integration = await self.integration(space, syndesis)
        request = {"annotations": {"integreatly.org/rotate": self.tag}}
        await self.patch("Integration", integration, {"metadata": request, "spec": {"rotation": {"overlap": "1s"}}})

        async def rotated() -> bool:
            snapshot = await self.snapshot()
            problems = list(crowded(snapshot))
            assert not problems, problems
            found = snapshot.find("Integration", integration)
            return found is not None and condition(found, "Rotating").get("reason") == "Rotated"

        await self.eventually(f"the credential of {integration} is rotated", rotated)

    async def is_ready(self, integration: Ref) -> None:
        """Wait until an Integration is Ready for its present spec."""

        async def ready() -> bool:
            found = await self.admin.get(path("Integration", *integration))
            if found is None:
                return False
            current = (found.get("status") or {}).get("observedGeneration") == found["metadata"]["generation"]
            return current and condition(found, "Ready").get("status") == "True"

        await self.eventually(f"{integration} is Ready", ready)

    async def eventually(self, what: str, check: Callable[[], Awaitable[Any]], within: float = 40.0) -> Any:
        """Return the first true answer of a check."""
        until = time.monotonic() + within
        while not (answer := await check()):
            assert time.monotonic() < until, f"not within {within:g} s: {what}"
            await asyncio.sleep(POLL)
        return answer

    def stored(self) -> Snapshot:
        """Return what the simulated platforms have stored at this moment, without a request."""
        platforms, inside = self.platforms, self.namespaces
        rest = platforms.stored_by_operator()
        return Snapshot({}, platforms.logins(inside), platforms.reconciled(inside), rest)

    async def snapshot(self) -> Snapshot:
        """Return all that exists in the run's namespaces."""
        snapshot = Snapshot(await read_objects(self.admin, [*self.namespaces, *self.neighbours]))
        await self.platforms.show(snapshot, self.namespaces)
        return snapshot
