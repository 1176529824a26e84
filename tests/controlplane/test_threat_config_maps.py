"""Threat: a ConfigMap in a tenant's namespace claims to be the AddressSpace of another namespace.

EnMasse up to 0.30 keeps AddressSpaces in ConfigMaps of its own namespace. Only those are read, with a Role there.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from planes import INFRASTRUCTURE, drop_space, space_in_config_map, store_space
from tenants import tenant
from world import World, space_status

from integration_operator.domain.pair import Pair, Ref
from integration_operator.kube.client import Client
from integration_operator.kube.errors import Forbidden

HOSTILE = "of.mallory.example"


def config_maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


async def test_a_config_map_of_a_tenant_speaks_for_nobody(old: World, tmp_path: Path) -> None:
    shop, mallory = await old.namespace("shop"), await old.namespace("mallory")
    own = Pair(Ref(shop, "orders"), await old.syndesis(shop))
    claimed = Pair(Ref(shop, "payments"), await old.syndesis(mallory))
    await store_space(old, own.space)
    async with old.operator() as operator, tenant(old, "stranger", mallory, tmp_path) as stranger:
        await old.offered(own)
        allowed = {"integreatly.org/allowed-namespaces": mallory}
        for space in (own.space, claimed.space):
            status = space_status(HOSTILE, ca=False)
            await stranger.post(config_maps(mallory), space_in_config_map(space, status=status, **allowed))
        await old.quiet()
        known = operator.cluster.spaces.get(own.space)
        assert known is not None
        assert known.endpoint is not None
        assert known.endpoint.host != HOSTILE, "the endpoint is EnMasse's own"
        assert not known.allowed_namespaces, "nobody consented in its name"
        assert operator.cluster.spaces.get(claimed.space) is None
        assert await old.integration(claimed) is None
        assert await old.integration(Pair(own.space, claimed.syndesis)) is None
    await drop_space(old, own.space)


async def test_the_operator_may_not_list_them_elsewhere(old: World) -> None:
    shop = await old.namespace("shop")
    async with Client.from_kubeconfig(old.control_plane.kubeconfig("operator")) as operator:
        await operator.get(config_maps(INFRASTRUCTURE))
        for place in (config_maps(shop), "/api/v1/configmaps"):
            with pytest.raises(Forbidden):
                await operator.get(place)
