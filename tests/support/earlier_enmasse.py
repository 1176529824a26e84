"""EnMasse 0.22 to 0.30: AddressSpaces in ConfigMaps, users behind an API without watch, none of its kinds."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from integration_operator.api import names
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.client import Client
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.deployment import grant_permissions, operator_crds
from integration_operator_sandbox.platforms.aggregated.server import AggregatedApi
from integration_operator_sandbox.platforms.crd import install_crds, platform_crds, run_blocking
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.documents import space_status
from tests.support.keycloak_fixtures import realms_of
from tests.support.world import World

INFRASTRUCTURE = "enmasse-infra"
DEFINITIONS = {d["spec"]["names"]["kind"]: d for d in (*platform_crds(), *operator_crds())}


def kinds_before_enmasse_031(plane: ControlPlane) -> None:
    """Install our kinds and Syndesis's, and EnMasse's own namespace."""
    run_blocking(_infrastructure(plane))
    install_crds(plane.kubeconfig(), [DEFINITIONS[kind] for kind in ("Integration", "Connection", "Syndesis")])


def before_enmasse_031(plane: ControlPlane) -> None:
    """Install our kinds and Syndesis's, all permissions, and EnMasse's own namespace."""
    kinds_before_enmasse_031(plane)
    grant_permissions(plane.kubeconfig())
    grant_permissions(plane.kubeconfig(), "compatibility")
    grant_permissions(plane.kubeconfig(), "configmaps")
    grant_permissions(plane.kubeconfig(), "keycloak")
    grant_permissions(plane.kubeconfig(), "connection-controller")


async def _infrastructure(plane: ControlPlane) -> None:
    async with Client.from_kubeconfig(plane.kubeconfig()) as admin:
        await admin.post("/api/v1/namespaces", {"metadata": {"name": INFRASTRUCTURE}})


def space_in_config_map(
    ref: Ref, *, status: dict[str, Any] | None = None, kind: str = "standard", **annotations: str
) -> dict[str, Any]:
    """Return the ConfigMap in which EnMasse ≤ 0.30 stores an AddressSpace."""
    chosen = {names.ENMASSE_REALM: f"{ref.namespace}-{ref.name}", **annotations}
    space = {
        "apiVersion": "enmasse.io/v1alpha1",
        "kind": "AddressSpace",
        "metadata": {"name": ref.name, "namespace": ref.namespace, "annotations": chosen},
        "spec": {"type": kind, "plan": f"{kind}-small", "authenticationService": {"type": "standard"}},
        "status": space_status(ca=False) if status is None else status,
    }
    return {
        "metadata": {
            "name": f"{ref.namespace}.{ref.name}",
            "labels": {"type": "address-space", "namespace": ref.namespace},
            "annotations": chosen,
        },
        "data": {"config.json": json.dumps(space)},
    }


async def store_space(world: World, ref: Ref, *, infrastructure: str = INFRASTRUCTURE, **rest: Any) -> None:
    """Store an AddressSpace, or a change of it, as EnMasse does in its namespace."""
    document = {"apiVersion": "v1", "kind": "ConfigMap", **space_in_config_map(ref, **rest)}
    path = f"/api/v1/namespaces/{infrastructure}/configmaps/{document['metadata']['name']}"
    await world.kubectl.apply(path, document, manager="enmasse", force=True)


async def drop_space(world: World, ref: Ref, *, infrastructure: str = INFRASTRUCTURE) -> None:
    """Delete the ConfigMap of an AddressSpace, as EnMasse does."""
    await world.kubectl.delete(f"/api/v1/namespaces/{infrastructure}/configmaps/{ref.namespace}.{ref.name}")


def realm_of(pair: Pair) -> str:
    """Return the name of the realm that EnMasse creates for the pair's AddressSpace."""
    return f"{pair.space.namespace}-{pair.space.name}"


async def pair_in_config_map(world: World, keycloak: Keycloak, namespace: str = "shop") -> Pair:
    """Create a Syndesis, an AddressSpace in a ConfigMap, and its realm."""
    shop = await world.namespace(namespace)
    await world.create("Syndesis", shop, "syndesis", spec={}, status={"phase": "Installed"})
    pair = Pair(Ref(shop, "orders"), Ref(shop, "syndesis"))
    keycloak.create_realm(realm_of(pair), shop)
    await store_space(world, pair.space)
    return pair


@asynccontextmanager
async def aggregated_api(world: World, keycloak: Keycloak, release: str) -> AsyncIterator[AggregatedApi]:
    """Run EnMasse's API server of a release, with its users in this Keycloak."""
    async with (
        Client.from_kubeconfig(world.control_plane.kubeconfig()) as admin,
        realms_of(keycloak) as realms,
        AggregatedApi(release, admin, realms).running() as api,
    ):
        yield api
