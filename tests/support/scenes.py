"""A giver and a receiver with limited tokens, and what either may write to get more than it was granted."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from integration_operator.api import names
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.client import Client
from integration_operator.runtime.ref import Ref
from tests.support.audit_log import OPERATOR
from tests.support.documents import Document, encoded, path
from tests.support.tenants import tenant
from tests.support.world import World

OF_MALLORY = "of mallory"
"""The password that the receiver brings."""

WITH_FINALIZER: Document = {"finalizers": [names.REST_STATE_FINALIZER]}
"""Metadata of an Integration for which something stands over REST, or which says so."""


@dataclass
class Receiving:
    """A receiver with a pair of its own and an AddressSpace's, and what it may write."""

    world: World
    pair: Pair
    receiver: Client
    asked: str = field(default="mallory", kw_only=True)
    """The name of the Integration that the receiver writes."""

    @property
    def ref(self) -> Ref:
        """The Integration that the receiver writes."""
        return Ref(self.pair.syndesis.namespace, self.asked)

    async def bring(
        self, username: str, password: str = OF_MALLORY, name: str = "byo", *, release: bool = True
    ) -> None:
        """Create a Secret of the receiver with a user name of its choice, released for the giver's AddressSpace."""
        space = self.pair.space
        annotations = {names.ADDRESS_SPACE_ANNOTATION: f"{space.namespace}/{space.name}"} if release else {}
        document = {
            "metadata": {"name": name, "labels": {names.INTEGRATION_LABEL: "yes"}, "annotations": annotations},
            "data": {"username": encoded(username), "password": encoded(password)},
        }
        await self.receiver.post(path("Secret", self.pair.syndesis.namespace), document)

    async def ask(
        self, name: str | None = None, *, metadata: Document | None = None, status: Document | None = None, **spec: Any
    ) -> Document:
        """Create an Integration as the receiver; ``status`` is what it forges on it."""
        reference = {"namespace": self.pair.space.namespace, "name": self.pair.space.name}
        document = {
            "apiVersion": names.INTEGRATION_API_VERSION,
            "kind": "Integration",
            "metadata": {"name": name or self.asked, **(metadata or {})},
            "spec": {"addressSpaceRef": reference, "client": self.pair.syndesis.name, "enabled": True, **spec},
        }
        written = await self.receiver.post(path("Integration", self.pair.syndesis.namespace), document)
        if status is not None:
            await self.forge(status)
        return written

    async def change(self, **spec: Any) -> None:
        """Change the Integration as the receiver."""
        await self.receiver.patch(path("Integration", *self.ref), {"spec": spec})

    async def forge(self, status: Document) -> None:
        """Write the Integration's status as the receiver, which only the operator should do."""
        await self.receiver.patch(f"{path('Integration', *self.ref)}/status", {"status": status})

    async def said(self, *reasons: str, name: str | None = None, within: float = 30.0) -> Document:
        """Wait until an Integration of the receiver's says each of these reasons."""
        ref = self.ref._replace(name=name or self.asked)

        async def check() -> Document | None:
            found = await self.world.get("Integration", ref)
            conditions = ((found or {}).get("status") or {}).get("conditions") or []
            return found if set(reasons) <= {c["reason"] for c in conditions} else None

        found: Document = await self.world.eventually(f"{ref} says {reasons}", check, within=within)
        return found


@dataclass
class Scene(Receiving):
    """A giver, a receiver whom it allows, and the pair of theirs."""

    giver: Client

    async def boss(self, name: str = "boss", **metadata: Any) -> Document:
        """Create a MessagingUser as the giver."""
        namespace, space = self.pair.space
        document = {
            "apiVersion": "user.enmasse.io/v1beta1",
            "kind": "MessagingUser",
            "metadata": {"namespace": namespace, "name": f"{space}.{name}", **metadata},
            "spec": {"username": name, "authentication": {"type": "password", "password": encoded("of the boss")}},
        }
        return await self.giver.post(path("MessagingUser", namespace), document)

    async def untouched(self, before: Document) -> None:
        """Check that a MessagingUser is as it was."""
        metadata = before["metadata"]
        now = await self.world.get("MessagingUser", Ref(metadata["namespace"], metadata["name"]))
        assert now is not None, "it was deleted"
        assert now["metadata"]["resourceVersion"] == metadata["resourceVersion"], "it was changed"

    async def user(self, name: str) -> Document | None:
        """Return the MessagingUser of that login."""
        return await self.world.get("MessagingUser", self.pair.space._replace(name=f"{self.pair.space.name}.{name}"))


@asynccontextmanager
async def scene(
    world: World, directory: Path, *, consent: bool = True, annotations: dict[str, str] | None = None
) -> AsyncIterator[Scene]:
    """Create giver and receiver in two namespaces; ``annotations`` are the Syndesis's."""
    shop, fuse = await world.namespace("shop"), await world.namespace("fuse")
    allowed = {"allowed": fuse} if consent else {}
    syndesis = await world.syndesis(fuse, annotations=annotations or {})
    pair = Pair(await world.space(shop, **allowed), syndesis)
    async with AsyncExitStack() as stack:
        giver = await stack.enter_async_context(tenant(world, "giver", shop, directory))
        receiver = await stack.enter_async_context(tenant(world, "receiver", fuse, directory))
        yield Scene(world, pair, receiver, giver)


class Process:
    """The operator as a process of its own."""

    def __init__(self, world: World, *flags: str) -> None:
        command = [sys.executable, "-m", "integration_operator", "run", "--log-level", "error"]
        command += ["--kubeconfig", str(world.control_plane.kubeconfig("operator"))]
        command += ["--probe-port", "0", "--metrics-port", "0", *flags]
        world.audit.mark()
        self._world = world
        self._process = subprocess.Popen(command, env={"PATH": "/usr/bin:/bin"})

    async def works(self) -> None:
        """Wait until it has asked the server for something."""

        async def asked() -> bool:
            assert self._process.poll() is None, "it ended"
            return bool(self._world.audit.requests(OPERATOR))

        await self._world.eventually("the operator asks the server", asked, every=0.01)

    async def kill(self) -> None:
        """Kill it, as a power failure does."""
        self._process.kill()
        await asyncio.to_thread(self._process.wait, 20)
