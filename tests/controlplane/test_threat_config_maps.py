"""Threat: a ConfigMap in a tenant's namespace claims to be another namespace's AddressSpace (EnMasse up to 0.30)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from integration_operator.api import names
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import Forbidden
from integration_operator.runtime.ref import Ref
from tests.support.earlier_enmasse import INFRASTRUCTURE, drop_space, space_in_config_map, store_space
from tests.support.tenants import tenant
from tests.support.world import World


async def test_only_enmasses_own_namespace_speaks(old: World, tmp_path: Path) -> None:
    shop, mallory = await old.namespace("shop"), await old.namespace("mallory")
    target = Pair(Ref(shop, "orders"), await old.syndesis(mallory))
    await store_space(old, target.space)
    async with tenant(old, "stranger", mallory, tmp_path) as stranger:
        claims = {
            f"{shop}.orders": space_in_config_map(target.space, **{names.ALLOWED_NAMESPACES: mallory}),
            f"{shop}.invented": space_in_config_map(Ref(shop, "invented"), **{names.ALLOWED_NAMESPACES: mallory}),
        }
        for name, document in claims.items():
            document["metadata"]["name"] = name
            await stranger.post(f"/api/v1/namespaces/{mallory}/configmaps", document)
        with pytest.raises(Forbidden):
            await stranger.post("/api/v1/namespaces/enmasse-infra/configmaps", claims[f"{shop}.orders"])
        old.audit.mark()
        async with old.operator():
            await asyncio.sleep(2)
            await old.audit.quiet()
            assert await old.items("Integration", mallory) == []
        asked = [r.get("objectRef") or {} for r in old.audit.requests()]
        where = {about.get("namespace") for about in asked if about.get("resource") == "configmaps"}
        assert where == {"enmasse-infra"}, "no other namespace is asked"

        await store_space(old, target.space, **{names.ALLOWED_NAMESPACES: mallory})
        async with old.operator():
            await old.offered(target)
    await drop_space(old, target.space)


async def test_the_operator_may_not_list_them_elsewhere(old: World) -> None:
    shop = await old.namespace("shop")
    async with Client.from_kubeconfig(old.control_plane.kubeconfig("operator")) as operator:
        await operator.get(f"/api/v1/namespaces/{INFRASTRUCTURE}/configmaps")
        for place in (f"/api/v1/namespaces/{shop}/configmaps", "/api/v1/configmaps"):
            with pytest.raises(Forbidden):
                await operator.get(place)
