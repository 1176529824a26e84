"""A test's part of a control plane: platforms' objects, the operator with its own permissions, counted requests.

Everything goes through the API server, as a user or as one of the platforms.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.manager import Operator
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import AlreadyExists, ApiError, NotFound
from integration_operator.runtime.ref import Ref
from integration_operator.settings import Settings
from integration_operator_sandbox.platforms import SimulatedEnMasse, SimulatedSyndesis
from integration_operator_sandbox.platforms.keycloak.controller import KeptLogins
from tests.support.audit_log import AuditLog
from tests.support.documented import is_documented
from tests.support.documents import PATHS, Document, condition, path, reason, space_status

WRITTEN_BY_USERS = ("Integration", "Syndesis", "AddressSpace", "AuthenticationService")


def integration_ref(pair: Pair) -> Ref:
    """Return the namespace and name of the Integration that is offered for a pair, or of a binding."""
    return pair.consumer if pair.is_binding else Ref(pair.consumer.namespace, naming.integration_name(pair))


class World:
    """One test's part of the control plane."""

    def __init__(self, control_plane: Any, kubectl: Client) -> None:
        self.control_plane = control_plane
        self.kubectl = kubectl
        self.tag = uuid.uuid4().hex[:6]
        self.audit = AuditLog(control_plane.audit_log)

    def ns(self, name: str) -> str:
        """Return a name for a namespace of this test's own."""
        return f"{name}-{self.tag}"

    async def namespace(self, name: str) -> str:
        """Make a namespace; return its full name."""
        full = self.ns(name)
        await self.kubectl.post("/api/v1/namespaces", {"metadata": {"name": full}})
        return full

    async def ensure_namespaces(self, *names: str) -> None:
        """Create the namespaces with exactly these names that do not exist yet."""
        for name in names:
            with suppress(AlreadyExists):
                await self.kubectl.post("/api/v1/namespaces", {"metadata": {"name": name}})

    async def create(self, kind: str, namespace: str, name: str, **rest: Any) -> Document:
        """Create an object as a user does; ``status`` is written where the kind has it apart."""
        root, _ = PATHS[kind]
        metadata = {"name": name, "namespace": namespace, **rest.pop("metadata", {})}
        status = rest.get("status")
        document = {
            "apiVersion": root.removeprefix("/apis/").removeprefix("/api/"),
            "kind": kind,
            "metadata": metadata,
            **rest,
        }
        made = await self.kubectl.post(path(kind, namespace), document)
        if status is not None and kind in ("Syndesis", "MessagingUser", "Connection", "Integration"):
            made = await self.kubectl.patch(f"{path(kind, namespace, name)}/status", {"status": status})
        return made

    async def space(
        self,
        namespace: str,
        name: str = "orders",
        *,
        status: Any = None,
        authentication: str = "standard-authservice",
        **annotations: str,
    ) -> Ref:
        """Create an AddressSpace, ready unless ``status`` says otherwise; annotations by the end of their name."""
        known = {"allowed": names.ALLOWED_NAMESPACES, "enable_new": names.ENABLE_NEW, "by": names.ENMASSE_CREATED_BY}
        chosen = {known[key]: value for key, value in annotations.items()}
        chosen[names.ENMASSE_REALM] = f"{namespace}-{name}"
        spec = {"type": "standard", "plan": "standard-small", "authenticationService": {"name": authentication}}
        shown = space_status() if status is None else status
        rest = {"status": shown} if shown else {}
        await self.create("AddressSpace", namespace, name, metadata={"annotations": chosen}, spec=spec, **rest)
        return Ref(namespace, name)

    async def syndesis(
        self, namespace: str, name: str = "syndesis", *, phase: str = "Installed", **metadata: Any
    ) -> Ref:
        """Create a Syndesis, installed unless ``phase`` says otherwise, whose Connections a controller reconciles."""
        metadata["annotations"] = {names.CONNECTION_DELIVERY: "native", **metadata.get("annotations", {})}
        await self.create("Syndesis", namespace, name, metadata=metadata, spec={}, status={"phase": phase})
        return Ref(namespace, name)

    async def pair(self, *, across: bool = False, **annotations: str) -> Pair:
        """Create a ready AddressSpace and an installed Syndesis, in one namespace or in two."""
        shop = await self.namespace("shop")
        fuse = await self.namespace("fuse") if across else shop
        if across:
            annotations.setdefault("allowed", fuse)
        return Pair(await self.space(shop, **annotations), await self.syndesis(fuse))

    async def bind(self, space: Ref, namespace: str, name: str = "checkout", **spec: Any) -> Pair:
        """Create an enabled Integration with ``spec.consumer: binding``, and return its pair."""
        spec = {"consumer": "binding", "enabled": True, "addressSpaceRef": space._asdict(), **spec}
        await self.create("Integration", namespace, name, spec=spec)
        return Pair(space, Ref(namespace, name), "Integration")

    async def get(self, kind: str, ref: Ref) -> Document | None:
        """Return an object, None if there is none."""
        try:
            return await self.kubectl.get(path(kind, *ref))
        except NotFound:
            return None

    async def items(self, kind: str, namespace: str | None = None) -> list[Document]:
        """Return all objects of a kind; of Secrets those with our label."""
        query = {"labelSelector": names.INTEGRATION_LABEL} if kind == "Secret" else None
        found = await self.kubectl.get(path(kind, namespace), query)
        return list(found.get("items") or [])

    async def serves(self, kind: str) -> bool:
        """Return whether the control plane serves a kind."""
        try:
            await self.items(kind)
        except NotFound:
            return False
        return True

    async def patch(self, kind: str, ref: Ref, body: Document, *, status: bool = False) -> Document:
        """Merge-patch an object as a user."""
        return await self.kubectl.patch(path(kind, *ref) + ("/status" if status else ""), body)

    async def delete(self, kind: str, ref: Ref, **options: Any) -> None:
        """Delete an object as a user; that it is gone already is fine."""
        with suppress(NotFound):
            await self.kubectl.delete(path(kind, *ref), {"kind": "DeleteOptions", "apiVersion": "v1", **options})

    async def eventually(
        self, what: str, check: Callable[[], Awaitable[Any]], *, within: float = 30.0, every: float = 0.05
    ) -> Any:
        """Return the first answer of ``check`` that is true; fail with ``what`` if none is in time."""
        until = time.monotonic() + within
        while True:
            found = await check()
            if found:
                return found
            assert time.monotonic() < until, f"not within {within} s: {what}"
            await asyncio.sleep(every)

    async def children(self, pair: Pair) -> dict[str, Document | None]:
        """Return Secret, MessagingUser and Connection of a pair, None for each that does not exist."""
        return {
            "Secret": await self.get("Secret", naming.secret_ref(pair)),
            "MessagingUser": await self.get("MessagingUser", naming.user_ref(pair)),
            "Connection": await self.get("Connection", naming.connection_ref(pair)),
        }

    async def integration(self, pair: Pair) -> Document | None:
        """Return the offered Integration of a pair, or that of a binding."""
        return await self.get("Integration", integration_ref(pair))

    async def offered(self, pair: Pair) -> Document:
        """Wait for the Integration of a pair."""
        return await self.eventually(f"{pair} is offered", lambda: self.integration(pair))  # type: ignore[no-any-return]

    async def enable(self, pair: Pair, *, enabled: bool = True) -> None:
        """Enable the pair's Integration as a user does."""
        await self.patch("Integration", integration_ref(pair), {"spec": {"enabled": enabled}})

    async def delivered(self, pair: Pair) -> dict[str, Document]:
        """Wait for Secret, MessagingUser and Connection of a pair, and for the status that says so."""

        async def there() -> Any:
            found = await self.children(pair)
            integration = await self.integration(pair)
            said = integration and ((integration.get("status") or {}).get("delivered") or {}).get("connection")
            return found if all(found.values()) and said else None

        return await self.eventually(f"{pair} is delivered", there)  # type: ignore[no-any-return]

    async def deliver(self, pair: Pair) -> dict[str, Document]:
        """Offer, enable and deliver a pair."""
        await self.offered(pair)
        await self.enable(pair)
        return await self.delivered(pair)

    async def taken_down(self, pair: Pair) -> None:
        """Wait until Secret, MessagingUser and Connection of a pair are gone."""

        async def gone() -> bool:
            return not any((await self.children(pair)).values())

        await self.eventually(f"{pair} is taken down", gone)

    async def has_reason(self, pair: Pair, wanted: str, type_: str = "Ready") -> Document:
        """Wait until a condition of the pair's Integration has a reason."""

        async def said() -> Document | None:
            integration = await self.integration(pair)
            return integration if integration and reason(integration, type_) == wanted else None

        return await self.eventually(f"{type_} of {pair} has reason {wanted}", said)  # type: ignore[no-any-return]

    async def ready(self, ref: Ref) -> Document:
        """Wait until an Integration is Ready, and return it."""

        async def check() -> Document | None:
            found = await self.get("Integration", ref)
            return found if found and condition(found, "Ready").get("status") == "True" else None

        return await self.eventually(f"{ref} is Ready", check)  # type: ignore[no-any-return]

    @asynccontextmanager
    async def operator(self, *, templates: Path | None = None, **settings: Any) -> AsyncIterator[Operator]:
        """Run the operator in this process, with exactly the permissions of deploy/."""
        async with Client.from_kubeconfig(self.control_plane.kubeconfig("operator")) as client:
            operator = Operator(client, TemplateFiles(templates), Settings(**settings))
            async with operator.running():
                await asyncio.wait_for(operator.cache.synced(), 30)
                yield operator

    @asynccontextmanager
    async def platforms(self, *, workers: int = 8, **enmasses: Any) -> AsyncIterator[SimulatedEnMasse]:
        """Run the simulated EnMasse and Syndesis, each with its own user; the EnMasse shows who can log in."""
        stop = asyncio.Event()
        async with (
            Client.from_kubeconfig(self.control_plane.kubeconfig("enmasse")) as enmasse,
            Client.from_kubeconfig(self.control_plane.kubeconfig("syndesis")) as syndesis,
        ):
            simulated = SimulatedEnMasse(enmasse, workers=workers, **enmasses)
            others = SimulatedSyndesis(syndesis, workers=workers)
            async with asyncio.TaskGroup() as group:
                group.create_task(simulated.run(stop))
                group.create_task(others.run(stop))
                try:
                    yield simulated
                finally:
                    stop.set()

    @asynccontextmanager
    async def enmasse_alone(self, keycloak: KeptLogins | None = None) -> AsyncIterator[SimulatedEnMasse]:
        """Run the simulated EnMasse alone."""
        stop = asyncio.Event()
        async with Client.from_kubeconfig(self.control_plane.kubeconfig("enmasse")) as client:
            simulated = SimulatedEnMasse(client, keycloak=keycloak)
            async with asyncio.TaskGroup() as group:
                group.create_task(simulated.run(stop))
                try:
                    yield simulated
                finally:
                    stop.set()

    async def undocumented(self) -> set[tuple[str, str]]:
        """Return type and reason of each condition of an Integration that docs/conditions.md does not have."""
        found = await self.items("Integration") if await self.serves("Integration") else []
        shown = [i.get("status", {}) for i in found]
        pairs = {(c["type"], c["reason"]) for status in shown for c in status.get("conditions", ())}
        return {pair for pair in pairs if not is_documented(*pair)}

    async def clean(self) -> None:
        """Delete what the test created, so that the next one finds nothing.

        Namespaces stay: the control plane spends 0.2 s of CPU on deleting one, and what else is in it concerns no test.
        """
        kinds = (*WRITTEN_BY_USERS, "Connection", "MessagingUser", "Secret")

        async def left_of(kind: str) -> list[Document]:
            try:
                return await self.items(kind)
            except NotFound:  # not served here
                return []

        async def remove(kind: str, item: Document) -> None:
            ref = Ref(item["metadata"]["namespace"], item["metadata"]["name"])
            with suppress(ApiError):
                if item["metadata"].get("finalizers"):
                    await self.patch(kind, ref, {"metadata": {"finalizers": None}})
                await self.delete(kind, ref)

        for kind in kinds:
            await asyncio.gather(*(remove(kind, item) for item in await left_of(kind)))

        async def nothing() -> bool:
            return not any(await asyncio.gather(*(left_of(kind) for kind in kinds)))

        await self.eventually("everything is removed", nothing, within=60)
