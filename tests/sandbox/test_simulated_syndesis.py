"""The simulated Syndesis does what Syndesis issue 3692 asks of a Syndesis."""

from __future__ import annotations

import asyncio
from typing import Any

from integration_operator.runtime.client import Client, Document, Query
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.platforms import SimulatedSyndesis
from tests.support.simulation import Simulation, eventually, simulated


class ListsSecretsLate(Client):
    """A client whose LIST of Secrets takes half a second."""

    async def get(self, path: str, query: Query | None = None, **limits: Any) -> Document:
        if path == "/api/v1/secrets":
            await asyncio.sleep(0.5)
        return await super().get(path, query, **limits)


async def instance(simulation: Simulation, name: str) -> str:
    path = simulation.path("syndesis.io/v1beta3", "syndesises")
    document = {"apiVersion": "syndesis.io/v1beta3", "kind": "Syndesis", "metadata": {"name": name}, "spec": {}}
    await simulation.client.post(path, document)
    return f"{path}/{name}"


async def test_one_is_installed_in_a_namespace_until_it_goes(simulation: Simulation) -> None:
    first = await instance(simulation, "first")
    await simulation.status(first, phase="Installed")
    second = await instance(simulation, "second")
    await simulation.status(second, phase="NotInstalled", reason="Duplicate")
    await simulation.client.delete(first)
    await simulation.status(second, phase="Installed", reason="")


async def test_connection_is_ready_once_its_secret_is_there_and_follows_it(simulation: Simulation) -> None:
    await simulation.status(await instance(simulation, "syndesis"), phase="Installed")
    sources = [
        {"property": key, "secretKeyRef": {"name": "credential", "key": key}} for key in ("username", "password")
    ]
    path = simulation.path("syndesis.io/v1alpha1", "connections")
    document = {"apiVersion": "syndesis.io/v1alpha1", "kind": "Connection", "metadata": {"name": "orders"}}
    spec = {
        "connectorId": "amqp",
        "connectionId": "enm-1",
        "configuredProperties": {"connectionUri": "amqp://broker:5672"},
        "configuredPropertiesFrom": sources,
    }
    await simulation.client.post(path, {**document, "spec": spec})
    status = await simulation.status(f"{path}/orders", phase="Pending")
    assert status["conditions"][0]["message"] == "no value for username, password"
    data = {"username": "alice", "password": "hunter2"}
    secrets = simulation.path("v1", "secrets")
    await simulation.client.post(secrets, {"metadata": {"name": "credential"}, "stringData": data})
    await simulation.status(f"{path}/orders", phase="Ready", connectionId="enm-1", observedGeneration=1)
    key = (simulation.namespace, "orders")
    assert simulation.syndesis.connections[key].properties == {"connectionUri": "amqp://broker:5672", **data}

    await simulation.client.patch(f"{secrets}/credential", {"stringData": {"password": "changed"}})

    async def followed() -> bool:
        return simulation.syndesis.connections[key].properties["password"] == "changed"

    await eventually("the changed Secret is followed", followed)
    await simulation.client.patch(f"{path}/orders", {"spec": {"description": "new"}})
    await simulation.status(f"{path}/orders", phase="Ready", observedGeneration=2)
    await simulation.client.delete(f"{path}/orders")
    await eventually("the connection goes", lambda: _is(key not in simulation.syndesis.connections))


async def test_connection_that_is_ready_stays_so_when_its_secret_is_listed_late(
    control_plane: ControlPlane, client: Client, namespace: str
) -> None:
    async with simulated(control_plane, client, namespace) as simulation:
        await simulation.status(await instance(simulation, "syndesis"), phase="Installed")
        source = {"property": "password", "secretKeyRef": {"name": "credential", "key": "password"}}
        spec = {"connectorId": "amqp", "configuredPropertiesFrom": [source]}
        path = simulation.path("syndesis.io/v1alpha1", "connections")
        await client.post(
            simulation.path("v1", "secrets"), {"metadata": {"name": "credential"}, "data": {"password": ""}}
        )
        await client.post(
            path,
            {"apiVersion": "syndesis.io/v1alpha1", "kind": "Connection", "metadata": {"name": "orders"}, "spec": spec},
        )
        await simulation.status(f"{path}/orders", phase="Ready")
    before = await client.get(f"{path}/orders")

    stop = asyncio.Event()
    async with ListsSecretsLate.from_kubeconfig(control_plane.kubeconfig("syndesis")) as late:
        syndesis = SimulatedSyndesis(late)
        running = asyncio.create_task(syndesis.run(stop))
        await eventually("it is stored again", lambda: _is((namespace, "orders") in syndesis.connections))
        stop.set()
        await running
    assert await client.get(f"{path}/orders") == before


async def _is(fact: bool) -> bool:
    return fact
