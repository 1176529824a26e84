"""Inputs as in public bug reports: each is reported where its user can correct it, and harms no other."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from prometheus_client import REGISTRY

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.deployment import grant_permissions, operator_crds
from integration_operator_sandbox.platforms.crd import install_crds, platform_crds
from tests.support.control_planes import world_on
from tests.support.documents import condition, space_status
from tests.support.world import World


async def test_messages_without_end_are_bounded(world: World) -> None:
    """A condition of more than 32,768 bytes would have every write of the status refused, for ever."""
    async with world.operator(enable_new=True):
        shop = await world.namespace("shop")
        status = {"isReady": False, "messages": ["broker \x1b[31m down " + "x" * 40_000] * 20}
        pair = Pair(await world.space(shop, status=status), await world.syndesis(shop))
        found = await world.has_reason(pair, "AddressSpaceNotReady")
        message = condition(found, "Ready")["message"]
        assert "broker" in message
        assert len(message.encode()) <= 2048
        assert message.isprintable()
        await world.patch("AddressSpace", pair.space, {"status": space_status()})
        await world.delivered(pair)
        user = {"phase": "Active", "generation": 1, "message": "y" * 100_000}
        await world.patch("MessagingUser", naming.user_ref(pair), {"status": user}, status=True)
        await world.has_reason(pair, "UserFailed")
        await world.audit.quiet()
        events = await world.items("Event", shop)
        assert all(len(e["message"].encode()) <= 1024 for e in events)


async def test_many_changes_of_an_endpoint_are_no_fight(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        for number in range(12):
            host = f"messaging-{number}.enmasse-infra.svc"
            await world.patch("AddressSpace", pair.space, {"status": space_status(host)})

            async def followed(host: str = host) -> bool:
                connection = await world.get("Connection", naming.connection_ref(pair))
                return host in json.dumps(connection)

            await world.eventually(f"the connection follows to {host}", followed, within=10)
        integration = await world.integration(pair)
        assert integration is not None
        assert condition(integration, "ConnectionReady")["reason"] != "FieldContested"


async def test_a_pair_that_gets_worse_says_so(world: World) -> None:
    async with world.platforms(), world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        await world.has_reason(pair, "Ready")
        await world.patch("AddressSpace", pair.space, {"status": {"isReady": False, "messages": ["broker is down"]}})
        found = await world.has_reason(pair, "AddressSpaceNotReady")
        assert "broker is down" in condition(found, "Ready")["message"]
        assert all((await world.children(pair)).values()), "nothing is torn down"


@pytest.mark.parametrize("pause", [0.0, 0.02, 0.05, 0.1])
async def test_disabled_and_enabled_at_once_makes_a_new_credential(world: World, pause: float) -> None:
    async with world.platforms(), world.operator():
        pair = await world.pair()
        before = await world.deliver(pair)
        await world.has_reason(pair, "Ready")
        user = naming.user_ref(pair)
        await world.patch(
            "MessagingUser", user, {"metadata": {"finalizers": ["example.org/slow"]}}
        )  # EnMasse takes its time
        await world.enable(pair, enabled=False)

        async def going() -> bool:
            found = await world.get("MessagingUser", user)
            return bool(found and found["metadata"].get("deletionTimestamp"))

        await world.eventually("it is being deleted", going)
        await asyncio.sleep(pause)
        await world.enable(pair)
        await asyncio.sleep(0.3)
        await world.patch("MessagingUser", user, {"metadata": {"finalizers": None}})
        await world.has_reason(pair, "Ready")
        after = await world.delivered(pair)
        assert after["Secret"]["data"]["password"] != before["Secret"]["data"]["password"]
        shown = after["MessagingUser"]["spec"]["authentication"]["password"]
        assert shown == after["Secret"]["data"]["password"]


async def test_an_authentication_service_of_that_name_elsewhere_does_not_count(world: World) -> None:
    enmasse, tenant = await world.namespace("enmasse"), await world.namespace("aaa")
    await world.create("AuthenticationService", tenant, "standard-authservice", spec={"type": "none"})
    await world.create("AuthenticationService", enmasse, "standard-authservice", spec={"type": "standard"})
    async with world.operator(enmasse_namespace=enmasse):
        pair = await world.pair()
        await world.deliver(pair)


async def test_a_secret_without_the_label_is_told_how_to_get_it(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.offered(pair)
        namespace = pair.syndesis.namespace
        await world.create("Secret", namespace, "plain", data={"username": "YWxpY2U=", "password": "c2VzYW1l"})
        ref = Ref(namespace, naming.integration_name(pair))
        await world.patch("Integration", ref, {"spec": {"enabled": True, "credentialsSecretRef": {"name": "plain"}}})
        found = await world.has_reason(pair, "SecretNotFound", "CredentialsReady")
        command = f"kubectl label secret plain -n {namespace} {names.INTEGRATION_LABEL}=yes"
        assert command in condition(found, "CredentialsReady")["message"]


async def test_suspension_is_reported(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await world.patch("Integration", ref, {"spec": {"suspend": True}})
        found = await world.has_reason(pair, "Suspended")
        assert condition(found, "Paired")["status"] == "True"
        assert condition(found, "Suspended")["status"] == "True"
        assert condition(found, "Ready") == {}
        assert found["status"]["phase"] == "integrating"


def defects() -> float:
    return REGISTRY.get_sample_value("integration_operator_reconciles_total", {"result": "defect"}) or 0.0


async def test_our_own_kind_goes_and_comes_back(tmp_path: Any) -> None:
    """CustomResourceDefinitions deleted and applied again: no traceback, and everything is offered again."""
    definitions = {d["spec"]["names"]["kind"]: d for d in (*platform_crds(), *operator_crds())}

    def install(plane: ControlPlane) -> None:
        install_crds(plane.kubeconfig(), list(definitions.values()))
        grant_permissions(plane.kubeconfig())

    with ControlPlane.start(before_controllers=install) as plane:
        async with world_on(plane) as world, world.operator() as operator:
            pair = await world.pair()
            await world.offered(pair)
            before = defects()
            name = "integrations.integreatly.org"
            await world.kubectl.delete(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")

            async def noticed() -> bool:
                return "Integration" in operator.cache.cluster_facts().absent

            await world.eventually("the kind is seen to be gone", noticed)
            await world.patch("AddressSpace", pair.space, {"metadata": {"annotations": {"a": "b"}}})
            await asyncio.sleep(1)
            assert defects() == before, "no traceback"
            await asyncio.to_thread(install_crds, plane.kubeconfig(), [definitions["Integration"]])
            await world.offered(pair)


async def test_a_secret_that_cannot_be_changed_holds_no_endpoint_up(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        secret = naming.secret_ref(pair)
        await world.audit.quiet()
        await world.patch("Secret", secret, {"data": {"password": "ZWRpdGVk"}, "immutable": True})
        await world.has_reason(pair, "Invalid", "CredentialsReady")
        host = "moved.enmasse-infra.svc"
        await world.patch("AddressSpace", pair.space, {"status": space_status(host)})

        async def followed() -> bool:
            return host in json.dumps(await world.get("Connection", naming.connection_ref(pair)))

        await world.eventually("the connection follows", followed, within=10)
