"""A user with a namespace, and the simulated platforms."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator

import pytest

from integration_operator.runtime.client import Client
from integration_operator_sandbox.controlplane import ControlPlane
from tests.support.simulation import Simulation, simulated

NAMESPACES = "/api/v1/namespaces"


@pytest.fixture
async def client(control_plane: ControlPlane) -> AsyncIterator[Client]:
    async with Client.from_kubeconfig(control_plane.kubeconfig("user")) as client:
        yield client


@pytest.fixture
async def namespace(client: Client) -> AsyncIterator[str]:
    name = f"local-{uuid.uuid4().hex[:8]}"
    await client.post(NAMESPACES, {"metadata": {"name": name}})
    yield name
    await client.delete(f"{NAMESPACES}/{name}")


@pytest.fixture
async def simulation(control_plane: ControlPlane, client: Client, namespace: str) -> AsyncIterator[Simulation]:
    async with simulated(control_plane, client, namespace) as made:
        yield made
