"""The connection controller in the test's process, and Connections as users write them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from integration_operator.manager import ConnectionOperator
from integration_operator.runtime.client import Client
from integration_operator.runtime.ref import Ref
from integration_operator.settings import Settings
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import Document, secret_data
from tests.support.world import World

CONTROLLER = "system:serviceaccount:integration-operator:connection-controller"


@asynccontextmanager
async def connection_controller(
    world: World, server: SyndesisServer, **settings: Any
) -> AsyncIterator[ConnectionOperator]:
    """Run the connection controller with exactly the permissions of deploy/."""
    async with Client.from_kubeconfig(world.control_plane.kubeconfig("connection-controller")) as client:
        control = ConnectionOperator(client, Settings(syndesis_url=server.url, **settings))
        async with control.running():
            yield control


async def create_connection(world: World, namespace: str, name: str = "mine", **spec: Any) -> Ref:
    """Create a Connection as a user does, with a password in a Secret of the user's own."""
    data = secret_data({"user": "me", "pass_word": "secret-1"})
    await world.create("Secret", namespace, f"{name}-login", data=data)
    written = {
        "connectorId": "amqp",
        "configuredProperties": {"connectionUri": "amqp://broker:5672"},
        "configuredPropertiesFrom": [
            {"property": "username", "secretKeyRef": {"name": f"{name}-login", "key": "user"}},
            {"property": "password", "secretKeyRef": {"name": f"{name}-login", "key": "pass_word"}},
        ],
        **spec,
    }
    await world.create("Connection", namespace, name, spec=written)
    return Ref(namespace, name)


async def in_phase(world: World, ref: Ref, phase: str) -> Document:
    """Wait until a Connection is in a phase, and return it."""

    async def there() -> Any:
        found = await world.get("Connection", ref)
        return found if found and (found.get("status") or {}).get("phase") == phase else None

    found: Document = await world.eventually(f"{ref} is {phase}", there)
    return found
