"""Tenants with Kubernetes' roles view, edit and admin may do with the operator's kinds what these roles mean.

The local control plane aggregates no roles. So the tests bind the parts themselves, and check the labels by which a
cluster aggregates them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_operator.domain.model import naming
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import AlreadyExists, Forbidden
from integration_operator.runtime.ref import Ref
from tests.support.command_line import piped
from tests.support.documents import path
from tests.support.tenants import RBAC, kubeconfig_of
from tests.support.world import World

TENANTS = Path(__file__).parents[2] / "deploy/kustomize/tenants"
PARTS = {name: yaml.safe_load((TENANTS / f"{name}.yaml").read_text()) for name in ("view", "edit")}
AGGREGATE = "rbac.authorization.k8s.io/aggregate-to-"
ROLES = {
    role: [part for part in PARTS.values() if part["metadata"]["labels"].get(f"{AGGREGATE}{role}") == "true"]
    for role in ("view", "edit", "admin")
}
"""The parts that a cluster adds to each of its own roles."""


@asynccontextmanager
async def tenant(world: World, role: str, namespace: str, directory: Path) -> AsyncIterator[tuple[Client, Path]]:
    """Yield a client and a kubeconfig of a tenant with one of Kubernetes' roles in one namespace."""
    name = f"{role}-{world.tag}"
    kubeconfig = await kubeconfig_of(world, name, [namespace], [], directory)
    for part in ROLES[role]:
        with suppress(AlreadyExists):
            await world.kubectl.post(f"{RBAC}/clusterroles", part)
        binding = {
            "metadata": {"name": f"{name}-{part['metadata']['name']}"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": part["metadata"]["name"],
            },
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        }
        await world.kubectl.post(f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
    async with Client.from_kubeconfig(kubeconfig) as client:
        yield client, kubeconfig


def test_a_cluster_adds_the_parts_to_its_own_roles() -> None:
    names = {role: [part["metadata"]["name"] for part in parts] for role, parts in ROLES.items()}
    assert names == {
        "view": ["integration-operator-view"],
        "edit": ["integration-operator-view", "integration-operator-edit"],
        "admin": ["integration-operator-view", "integration-operator-edit"],
    }


async def test_a_viewer_reads_and_changes_nothing(world: World, tmp_path: Path) -> None:
    async with world.platforms(), world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        name = naming.integration_name(pair)
        async with tenant(world, "view", pair.syndesis.namespace, tmp_path) as (client, kubeconfig):
            shown = await piped(kubeconfig, "get")
            assert name in shown.out, shown
            assert len((await client.get(path("Connection", pair.syndesis.namespace)))["items"]) == 1
            refused = await piped(kubeconfig, "disable", name)
            assert refused.code == 4
            assert 'cannot patch resource "integrations"' in refused.err
            with pytest.raises(Forbidden):
                await client.get(f"/api/v1/namespaces/{pair.syndesis.namespace}/secrets")
        integration = await world.integration(pair)
        assert integration is not None
        assert integration["spec"]["enabled"]


@pytest.mark.parametrize("role", ["edit", "admin"])
async def test_an_editor_enables_writes_and_deletes_and_leaves_the_status_alone(
    world: World, tmp_path: Path, role: str
) -> None:
    async with world.platforms(), world.operator():
        pair = await world.pair()
        await world.offered(pair)
        namespace, name = pair.syndesis.namespace, naming.integration_name(pair)
        async with tenant(world, role, namespace, tmp_path) as (client, kubeconfig):
            answer = await piped(kubeconfig, "enable", name)
            assert answer.code == 0, answer.err
            own: dict[str, Any] = {
                "apiVersion": "integreatly.org/v1alpha1",
                "kind": "Integration",
                "metadata": {"name": "own"},
                "spec": {"client": pair.syndesis.name},
            }
            await client.post(path("Integration", namespace), own)
            await client.delete(path("Integration", namespace, "own"))
            status = f"{path('Integration', namespace, name)}/status"
            with pytest.raises(Forbidden):
                await client.patch(status, {"status": {"phase": "complete"}})
            with pytest.raises(Forbidden):
                await client.get(path("Integration"))
            await client.delete(path("Integration", namespace, name))
        await world.taken_down(pair)
        assert await world.get("Integration", Ref(namespace, "own")) is None
