"""The simulated EnMasse does what EnMasse's own controllers were observed to do."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from tests.support.simulation import Simulation, eventually


async def test_space_becomes_ready(simulation: Simulation) -> None:
    await simulation.space()
    path = simulation.path("enmasse.io/v1beta1", "addressspaces", "orders")
    status = await simulation.status(path, isReady=True, phase="Active")
    ports = {e["name"]: {p["name"]: p["port"] for p in e["servicePorts"]} for e in status["endpointStatuses"]}
    assert ports["messaging"] == {"amqp": 5672, "amqps": 5671, "amqp-wss": 443}
    annotations = (await simulation.client.get(path))["metadata"]["annotations"]
    assert annotations["enmasse.io/realm-name"] == f"{simulation.namespace}-orders"


async def test_status_that_another_client_wrote_is_left_alone(simulation: Simulation) -> None:
    await simulation.space(status={"isReady": False, "phase": "Failed"})
    await asyncio.sleep(0.5)
    path = simulation.path("enmasse.io/v1beta1", "addressspaces", "orders")
    assert (await simulation.client.get(path))["status"] == {"isReady": False, "phase": "Failed"}


async def test_user_goes_through_its_states(simulation: Simulation) -> None:
    await simulation.space()
    path = simulation.path("user.enmasse.io/v1beta1", "messagingusers")
    version = (await simulation.client.get(path))["metadata"]["resourceVersion"]
    await simulation.user()
    seen: list[tuple[bool, Any, Any]] = []
    query = {"resourceVersion": version, "timeoutSeconds": "20"}
    async for event in simulation.client.watch(path, query):
        user = event["object"]
        status = user.get("status") or {}
        seen.append(("finalizers" in user["metadata"], status.get("phase"), status.get("generation")))
        if status.get("phase") == "Active" and "generation" in status:
            break
    states = [state for number, state in enumerate(seen) if state not in seen[:number]]
    active = states[-2:]
    assert active == [(True, "Active", None), (True, "Active", 1)] or active[1] == (True, "Active", 1)
    phases = [phase for _, phase, _ in states]
    assert phases[:3] == [None, None, "Pending"]
    assert phases.index("Pending") < phases.index("Configuring") < phases.index("Active")
    assert simulation.login() == "hunter2"


async def test_changed_password_is_applied_and_phase_stays(simulation: Simulation) -> None:
    await simulation.space()
    path = await simulation.user()
    await simulation.status(path, phase="Active", generation=1)
    secret = base64.b64encode(b"correct horse").decode()
    await simulation.client.patch(path, {"spec": {"authentication": {"password": secret}}})
    assert (await simulation.status(path, generation=2))["phase"] == "Active"
    assert simulation.login() == "correct horse"


async def test_deleted_user_cannot_log_in(simulation: Simulation) -> None:
    await simulation.space()
    path = await simulation.user()
    await simulation.status(path, phase="Active", generation=1)
    await simulation.client.delete(path)
    await simulation.gone(path)
    assert simulation.login() is None


async def test_user_outlives_its_space_until_the_realm_goes(simulation: Simulation) -> None:
    await simulation.space()
    path = await simulation.user()
    await simulation.status(path, phase="Active", generation=1)
    await simulation.client.delete(simulation.path("enmasse.io/v1beta1", "addressspaces", "orders"))
    await simulation.client.delete(path)
    await simulation.gone(path)

    async def realm_gone() -> bool:
        return simulation.login() is None

    await eventually("the realm goes, and the login with it", realm_gone)


async def test_user_without_its_space_waits_for_it(simulation: Simulation) -> None:
    path = await simulation.user()
    status = await simulation.status(path, generation=1)
    assert status == {"phase": "Pending", "generation": 1}
    await simulation.space()
    await simulation.status(path, phase="Active")


async def test_user_of_a_space_without_authentication_hangs_until_the_space_goes(simulation: Simulation) -> None:
    await simulation.space(spec={"type": "brokered", "plan": "small", "authenticationService": {"name": "none"}})
    path = await simulation.user()
    assert await simulation.status(path, generation=1) == {"phase": "Pending", "generation": 1}
    await simulation.client.delete(path)
    await simulation.status(path, phase="Terminating")
    await asyncio.sleep(0.3)
    await simulation.status(path, phase="Terminating")
    await simulation.client.delete(simulation.path("enmasse.io/v1beta1", "addressspaces", "orders"))
    await simulation.gone(path)


async def test_one_password_that_is_not_base64_stops_all(simulation: Simulation) -> None:
    await simulation.space()
    bad = await simulation.user(name="bad")
    await simulation.status(bad, phase="Active")
    await simulation.client.patch(bad, {"spec": {"authentication": {"password": "not base64!"}}})
    await asyncio.sleep(0.2)
    good = await simulation.user()
    await asyncio.sleep(0.4)
    assert "status" not in await simulation.client.get(good)
    await simulation.client.patch(bad, {"spec": {"authentication": {"password": "Z29vZA=="}}})
    await simulation.status(good, phase="Active")
