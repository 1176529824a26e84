"""The simulated platforms in a namespace, without the operator."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import NotFound
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.platforms import Login, SimulatedEnMasse, SimulatedSyndesis

Document = dict[str, Any]


async def eventually(what: str, answer: Callable[[], Awaitable[Any]], within: float = 5.0) -> Any:
    """Poll until an answer is true and return it; fail after ``within`` seconds."""
    deadline = time.monotonic() + within
    while not (found := await answer()):
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        await asyncio.sleep(0.02)
    return found


class Simulation:
    """Both simulated platforms, and a user who writes to a namespace."""

    def __init__(self, client: Client, namespace: str, enmasse: SimulatedEnMasse, syndesis: SimulatedSyndesis) -> None:
        self.client, self.namespace, self.enmasse, self.syndesis = client, namespace, enmasse, syndesis

    def path(self, group: str, plural: str, name: str = "") -> str:
        root = f"/apis/{group}" if "/" in group else f"/api/{group}"
        return f"{root}/namespaces/{self.namespace}/{plural}" + (f"/{name}" if name else "")

    async def space(self, **rest: Any) -> None:
        spec = {"type": "standard", "plan": "small", "authenticationService": {"name": "standard-authservice"}}
        document = {"apiVersion": "enmasse.io/v1beta1", "kind": "AddressSpace", "metadata": {"name": "orders"}}
        await self.client.post(self.path("enmasse.io/v1beta1", "addressspaces"), {**document, "spec": spec, **rest})

    async def user(self, password: str = "hunter2", name: str = "alice") -> str:
        secret = base64.b64encode(password.encode()).decode()
        spec = {"username": name, "authentication": {"type": "password", "password": secret}}
        document = {"apiVersion": "user.enmasse.io/v1beta1", "kind": "MessagingUser", "spec": spec}
        collection = self.path("user.enmasse.io/v1beta1", "messagingusers")
        await self.client.post(collection, {**document, "metadata": {"name": f"orders.{name}"}})
        return f"{collection}/orders.{name}"

    async def status(self, path: str, **wanted: Any) -> Document:
        """Wait until the status of an object says what is wanted, and return all of it."""

        async def said() -> Document | None:
            status = (await self.client.get(path)).get("status") or {}
            return status if all(status.get(name) == value for name, value in wanted.items()) else None

        return await eventually(f"{path} has status {wanted}", said)  # type: ignore[no-any-return]

    async def gone(self, path: str) -> None:
        async def is_gone() -> bool:
            try:
                await self.client.get(path)
            except NotFound:
                return True
            return False

        await eventually(f"{path} is gone", is_gone)

    def login(self, name: str = "alice") -> str | None:
        return self.enmasse.logins.get(Login(self.namespace, "orders", name))


@asynccontextmanager
async def simulated(control_plane: ControlPlane, client: Client, namespace: str) -> AsyncIterator[Simulation]:
    """Run both platforms during the block."""
    stop = asyncio.Event()
    async with (
        Client.from_kubeconfig(control_plane.kubeconfig("enmasse")) as one,
        Client.from_kubeconfig(control_plane.kubeconfig("syndesis")) as other,
    ):
        simulation = Simulation(client, namespace, SimulatedEnMasse(one), SimulatedSyndesis(other))
        running = asyncio.gather(simulation.enmasse.run(stop), simulation.syndesis.run(stop))
        try:
            yield simulation
        finally:
            stop.set()
            await running
