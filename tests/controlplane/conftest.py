"""One real control plane for each worker process of the test run, with all kinds and the operator's own permissions."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from world import World

from integration_operator.kube.client import Client
from integration_operator.localcluster.controlplane import ControlPlane
from integration_operator.localcluster.platforms import install_kinds, platform_definitions

ROOT = Path(__file__).parents[2]
RBAC = "/apis/rbac.authorization.k8s.io/v1"
PERMISSIONS = {"cluster-role.yaml": "clusterroles", "cluster-role-binding.yaml": "clusterrolebindings"}


def _load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def install_all_kinds(plane: ControlPlane) -> None:
    """The stand-ins for the platforms' kinds, and the operator's own as they are committed."""
    own = [_load(path) for path in sorted((ROOT / "crds").glob("*.*.yaml"))]
    kinds = [document for document in own if document["kind"] == "CustomResourceDefinition"]
    install_kinds(plane.kubeconfig(), [*platform_definitions(), *kinds])


async def grant_permissions(plane: ControlPlane) -> None:
    """Let the operator's user do what deploy/ lets it do, and nothing else."""
    async with Client.from_kubeconfig(plane.kubeconfig()) as admin:
        for file, plural in PERMISSIONS.items():
            await admin.post(f"{RBAC}/{plural}", _load(ROOT / "deploy" / "kustomize" / "base" / file))


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A running control plane. The kinds come before the garbage collector, which knows them from its start."""
    with ControlPlane.start(before_controllers=install_all_kinds) as plane:
        asyncio.run(grant_permissions(plane))
        yield plane


@pytest.fixture
async def world(control_plane: ControlPlane) -> AsyncIterator[World]:
    """A test's own part of the control plane, removed afterwards."""
    async with Client.from_kubeconfig(control_plane.kubeconfig("person")) as person:
        made = World(control_plane, person)
        yield made
        await made.clean()
