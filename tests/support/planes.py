"""Control planes as EnMasse's earlier releases have them: without its kinds, AddressSpaces in ConfigMaps."""

from __future__ import annotations

import json
from typing import Any

from integration_operator.api import names
from integration_operator.runtime.client import Client
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.deployment import grant_permissions, operator_crds
from integration_operator_sandbox.platforms.crd import install_crds, platform_crds, run_blocking
from tests.support.world import World, space_status

INFRASTRUCTURE = "enmasse-infra"
DEFINITIONS = {d["spec"]["names"]["kind"]: d for d in (*platform_crds(), *operator_crds())}


def before_enmasse_031(plane: ControlPlane) -> None:
    """Our kinds and Syndesis's, all permissions, and EnMasse's own namespace."""
    run_blocking(_infrastructure(plane))
    install_crds(plane.kubeconfig(), [DEFINITIONS[kind] for kind in ("Integration", "Connection", "Syndesis")])
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
    """An AddressSpace as EnMasse ≤ 0.30 stores it."""
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


async def store_space(world: World, ref: Ref, **rest: Any) -> None:
    """EnMasse stores an AddressSpace, or a change of it."""
    document = {"apiVersion": "v1", "kind": "ConfigMap", **space_in_config_map(ref, **rest)}
    path = f"/api/v1/namespaces/{INFRASTRUCTURE}/configmaps/{document['metadata']['name']}"
    await world.person.apply(path, document, manager="enmasse", force=True)


async def drop_space(world: World, ref: Ref) -> None:
    """EnMasse removes the ConfigMap of an AddressSpace."""
    await world.person.delete(f"/api/v1/namespaces/{INFRASTRUCTURE}/configmaps/{ref.namespace}.{ref.name}")
