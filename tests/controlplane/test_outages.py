"""A failure affects nothing else, is reported, and recovers; nothing is deleted while a source is not in sync."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_operator.domain.model import naming
from integration_operator.manager import Operator
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.client import Client
from integration_operator.runtime.reflector import State
from integration_operator.settings import Settings
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.deployment import grant_permissions, operator_crds
from integration_operator_sandbox.platforms.crd import install_crds, platform_crds
from tests.support.control_planes import world_on
from tests.support.permissions import without_permission
from tests.support.world import World

OWN = {definition["spec"]["names"]["kind"]: definition for definition in operator_crds()}


async def in_state(operator: Operator, kind: str, state: State, within: float = 40.0) -> None:
    until = time.monotonic() + within
    while operator.cache.reflectors[kind].state is not state:
        assert time.monotonic() < until, f"{kind} is {operator.cache.reflectors[kind].state}, not {state}"
        await asyncio.sleep(0.05)


async def test_permission_taken_from_a_source_deletes_nothing_and_comes_back(world: World) -> None:
    pair = await world.pair(across=True)
    async with world.operator(enable_new=True):
        before = await world.delivered(pair)
    async with (
        without_permission(world, "enmasse.io", "addressspaces") as give_back,
        Client.from_kubeconfig(world.control_plane.kubeconfig("operator")) as client,
    ):
        operator = Operator(client, TemplateFiles(), Settings(enable_new=True))
        async with operator.running():
            await in_state(operator, "AddressSpace", State.FAILING)
            await in_state(operator, "Integration", State.SYNCED)
            assert "addressspaces" in operator.cache.unsynced()["AddressSpace"]
            await asyncio.sleep(2)
            still = await world.children(pair)
            assert {k: v["metadata"]["uid"] for k, v in still.items() if v} == {
                k: v["metadata"]["uid"] for k, v in before.items()
            }
            await give_back()
            await in_state(operator, "AddressSpace", State.SYNCED)
            await world.delete("Secret", naming.secret_ref(pair))
            await world.delivered(pair)


async def test_permission_taken_for_one_write_is_said_and_others_go_on(world: World) -> None:
    async with (
        without_permission(world, "syndesis.io", "connections", but=("list", "watch")) as give_back,
        world.operator(enable_new=True),
    ):
        pair = await world.pair()
        integration = await world.has_reason(pair, "Forbidden")
        assert "connections" in integration["status"]["statusMessage"]
        found = await world.children(pair)
        assert found["Secret"] is not None
        assert found["MessagingUser"] is not None
        await give_back()
        await world.delivered(pair)


@pytest.fixture
def own_plane(tmp_path: Path) -> Iterator[ControlPlane]:
    """Run a control plane for one test, without the platforms' kinds."""

    def prepare(plane: ControlPlane) -> None:
        install_crds(plane.kubeconfig(), [OWN["Integration"]])
        grant_permissions(plane.kubeconfig())

    with ControlPlane.start(before_controllers=prepare) as plane:
        yield plane


async def test_api_server_restarts(own_plane: ControlPlane) -> None:
    install_crds(own_plane.kubeconfig(), [*platform_crds(), OWN["Connection"]])
    async with world_on(own_plane) as world, world.operator(enable_new=True) as operator:
        pair = await world.pair()
        before = await world.delivered(pair)
        own_plane.stop_component("kube-apiserver")
        await in_state(operator, "AddressSpace", State.FAILING)
        assert operator.cache.spaces.get(pair.space) is not None, "the store is kept"
        await asyncio.to_thread(own_plane.start_component, "kube-apiserver")
        await asyncio.wait_for(_settled(operator), 60)
        await world.patch("Connection", naming.connection_ref(pair), {"spec": {"name": "Mine"}})

        async def repaired() -> bool:
            connection = await world.get("Connection", naming.connection_ref(pair))
            return bool(connection and connection["spec"] == before["Connection"]["spec"])

        await world.eventually("drift is repaired after the outage", repaired)


async def _settled(operator: Operator) -> None:
    while operator.cache.unsynced():
        await asyncio.sleep(0.1)


async def test_kinds_appear_while_running_and_go_again(own_plane: ControlPlane) -> None:
    async with world_on(own_plane) as world, world.operator(enable_new=True) as operator:
        assert operator.cache.reflectors["AddressSpace"].state is State.ABSENT
        assert operator.cache.reflectors["MessagingUser"].state is State.ABSENT
        definitions = {d["spec"]["names"]["kind"]: d for d in platform_crds()}
        install_crds(own_plane.kubeconfig(), [definitions["AddressSpace"], definitions["Syndesis"]])
        pair = await world.pair()
        await world.has_reason(pair, "MessagingUserNotServed")
        install_crds(own_plane.kubeconfig(), [definitions["MessagingUser"]])
        await world.has_reason(pair, "ConnectionNotServed")
        install_crds(own_plane.kubeconfig(), [OWN["Connection"]])
        await world.delivered(pair)

        crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        await world.kubectl.delete(f"{crd}/addressspaces.enmasse.io")
        await in_state(operator, "AddressSpace", State.ABSENT, within=60)
        await world.taken_down(pair)  # with the definition the server deletes the objects, one by one
        assert operator.cache.unsynced() == {}, "a kind that is not served is no outage"
        install_crds(own_plane.kubeconfig(), [definitions["AddressSpace"]])
        await world.space(pair.space.namespace)
        await world.delivered(pair)


async def test_no_cluster_at_start(own_plane: ControlPlane) -> None:
    own_plane.stop_component("controller-manager")  # it gives up without its server, and is not needed here
    own_plane.stop_component("kube-apiserver")
    async with Client.from_kubeconfig(own_plane.kubeconfig("operator")) as client:
        operator = Operator(client, TemplateFiles(), Settings())
        async with operator.running():
            await in_state(operator, "Integration", State.FAILING)
            assert own_plane.server.removeprefix("https://") in operator.cache.unsynced()["Integration"]
            await asyncio.to_thread(own_plane.start_component, "kube-apiserver")
            await asyncio.wait_for(_settled(operator), 60)
