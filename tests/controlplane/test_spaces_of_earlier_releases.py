"""AddressSpaces of EnMasse ≤ 0.30: in ConfigMaps, or on an API without watch; an outage is never "none left"."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.manager import Operator
from integration_operator.runtime.client import Client
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import State
from integration_operator_sandbox.platforms.aggregated.server import AggregatedApi
from integration_operator_sandbox.platforms.crd import install_crds
from integration_operator_sandbox.platforms.keycloak.realms import Realms
from tests.support.documents import condition, space_status
from tests.support.earlier_enmasse import DEFINITIONS, INFRASTRUCTURE, drop_space, store_space
from tests.support.world import World

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


async def stored_pair(world: World) -> Pair:
    shop = await world.namespace("shop")
    pair = Pair(Ref(shop, "orders"), await world.syndesis(shop))
    await store_space(world, pair.space)
    return pair


async def test_config_maps_are_read_where_there_is_no_kind(old: World) -> None:
    pair = await stored_pair(old)
    async with old.operator() as operator:
        integration = await old.offered(pair)
        assert operator.cache.cluster_facts().source == "configmap"
        owner = integration["metadata"]["ownerReferences"][0]
        assert owner["kind"] == "Syndesis", "the uid of a ConfigMap does not outlive an upgrade of EnMasse"

        await store_space(old, pair.space, status={**space_status(), "isReady": False})
        await old.has_reason(pair, "NotEnabled")
        late = Pair(Ref(pair.space.namespace, "late"), pair.syndesis)
        await store_space(old, late.space)
        await old.offered(late)

        await drop_space(old, pair.space)

        async def withdrawn() -> bool:
            return await old.integration(pair) is None

        await old.eventually("the offer goes with its AddressSpace", withdrawn)
        assert await old.integration(late) is not None
    await drop_space(old, late.space)


async def test_a_config_map_that_cannot_be_read_is_no_reason_to_tear_down(old: World) -> None:
    pair = await stored_pair(old)
    async with old.operator():
        offered = await old.offered(pair)
        await old.enable(pair)

        async def stored() -> Any:
            return await old.get("Secret", naming.secret_ref(pair))

        secret = await old.eventually("the credential is stored", stored)
    path = f"/api/v1/namespaces/{INFRASTRUCTURE}/configmaps/{pair.space.namespace}.{pair.space.name}"
    await old.kubectl.patch(path, {"data": {"config.json": "{"}})
    async with old.operator():
        integration = await old.has_reason(pair, "AddressSpaceNotReady", "UserReady")
        assert "config.json of ConfigMap" in condition(integration, "UserReady")["message"]
        await old.audit.quiet()
        assert (await old.offered(pair))["metadata"]["uid"] == offered["metadata"]["uid"]
        assert (await stored())["metadata"]["uid"] == secret["metadata"]["uid"]
        await drop_space(old, pair.space)
        await old.delete("Syndesis", pair.syndesis)  # whose server is not there, and would be asked

        async def withdrawn() -> bool:
            return await old.integration(pair) is None and await stored() is None

        await old.eventually("both go with the ConfigMap", withdrawn)


async def test_config_maps_that_an_upgrade_deletes_are_no_reason_to_tear_down(old: World) -> None:
    pair = await stored_pair(old)
    async with old.operator() as operator:
        offered = await old.offered(pair)
        crd = f"{CRDS}/addressspaces.enmasse.io"
        try:
            install_crds(old.control_plane.kubeconfig(), [DEFINITIONS["AddressSpace"]])
            await drop_space(old, pair.space)
            await in_state(operator, "AddressSpace", State.SYNCED)
            await old.space(pair.space.namespace)
            await asyncio.sleep(1)
            again = await old.offered(pair)
            assert again["metadata"]["uid"] == offered["metadata"]["uid"]
            assert operator.cache.cluster_facts().source == "crd"
        finally:
            await old.delete("AddressSpace", pair.space)
            await old.kubectl.delete(crd)
            await in_state(operator, "AddressSpace", State.ABSENT)


async def test_nor_is_an_api_that_still_answers_when_they_are_deleted(old: World) -> None:
    pair = await stored_pair(old)
    async with Client.from_kubeconfig(old.control_plane.kubeconfig()) as admin:
        api = AggregatedApi("0.30", admin, Realms("https://127.0.0.1:1/auth", "", "", ""))
        async with api.running(), old.operator(poll_seconds=1) as operator:
            offered = await old.offered(pair)
            assert operator.cache.cluster_facts().source == "aggregated"
            try:
                await old.kubectl.post(CRDS, DEFINITIONS["AddressSpace"])
                await old.eventually("the kind is known to be there", lambda: held(operator))
                await drop_space(old, pair.space)
                polled = len(api.requests)

                async def twice() -> bool:
                    return len(api.requests) >= polled + 2

                await old.eventually("it is polled again", twice)
                again = await old.has_reason(pair, "EnMasseUpgrading")
                assert again["metadata"]["uid"] == offered["metadata"]["uid"]
            finally:
                await old.kubectl.delete(f"{CRDS}/addressspaces.enmasse.io")

            async def withdrawn() -> bool:
                return await old.integration(pair) is None

            await old.eventually("the kind did not come, so the AddressSpace is gone", withdrawn)


async def held(operator: Operator) -> bool:
    """Return whether the operator draws no conclusion from the AddressSpaces it is shown."""
    return operator.cache.cluster_facts().upgrading


@pytest.mark.parametrize("release", ["0.24", "0.26", "0.30"])
async def test_the_aggregated_api_is_polled(old: World, release: str) -> None:
    pair = await stored_pair(old)
    async with Client.from_kubeconfig(old.control_plane.kubeconfig()) as admin:
        api = AggregatedApi(release, admin, Realms("https://127.0.0.1:1/auth", "", "", ""))
        async with api.running(), old.operator(poll_seconds=1) as operator:
            await old.offered(pair)
            assert operator.cache.cluster_facts().source == "aggregated"
            assert operator.cache.reflectors["MessagingUser"].state is State.UNWATCHED

            for status in (401, 403, 500, 503):
                api.broken = status
                await in_state(operator, "AddressSpace", State.FAILING)
                assert await old.integration(pair) is not None
                api.broken = None
                await in_state(operator, "AddressSpace", State.SYNCED)
            await drop_space(old, pair.space)

            async def withdrawn() -> bool:
                return await old.integration(pair) is None

            await old.eventually("the offer goes with its AddressSpace", withdrawn)


async def in_state(operator: object, kind: str, state: State) -> None:
    async with asyncio.timeout(40):
        while operator.cache.reflectors[kind].state is not state:  # type: ignore[attr-defined]
            await asyncio.sleep(0.05)
