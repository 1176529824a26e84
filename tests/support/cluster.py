"""A cluster in which the operator is installed: one that exists, or a local control plane with the chart."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from integration_operator.manager import OPERATOR_LEASE
from integration_operator.runtime.client import Client
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.controlplane.users import NAMESPACE
from tests.support.control_planes import world_on
from tests.support.gitops import Kubectl
from tests.support.installation import Installation
from tests.support.world import World

KUBECONFIG = "E2E_KUBECONFIG"
"""The variable that names the kubeconfig of a cluster in which the operator runs; its context may do everything."""


@dataclass(frozen=True)
class Foreign:
    """A cluster that tests did not start. All users are one there, and nothing is known of the requests."""

    file: Path
    audit_log: Path = Path("/nonexistent")

    def kubeconfig(self, user: str = "admin") -> Path:
        """Return the kubeconfig of a user."""
        return self.file


@dataclass(frozen=True)
class Cluster:
    """A cluster with the operator in it."""

    world: World
    end_leader: Callable[[], Awaitable[None]]
    """End the process that leads, so that another one takes over."""


@pytest.fixture
async def cluster(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Cluster]:
    """Return a cluster in which the operator runs, without any pair."""
    file = os.environ.get(KUBECONFIG)
    if file:
        async with _foreign(Path(file), tmp_path) as found:
            yield found
        return
    async with world_on(request.getfixturevalue("bare_plane")) as world:
        await world.ensure_namespaces(NAMESPACE)
        installation = Installation(world, tmp_path)
        async with installation.by_helm({}), installation.running():
            yield Cluster(world, installation.end_leader)
            await world.clean()


@asynccontextmanager
async def _foreign(kubeconfig: Path, home: Path) -> AsyncIterator[Cluster]:
    async with Client.from_kubeconfig(kubeconfig, user_agent="kubectl") as client:
        world = World(cast(ControlPlane, Foreign(kubeconfig)), client)
        kubectl = Kubectl(kubeconfig, home)

        async def end_leader() -> None:
            lease = json.loads(await kubectl("get", "lease", OPERATOR_LEASE, "-n", NAMESPACE, "-o", "json"))
            pod = lease["spec"]["holderIdentity"].rpartition("_")[0]
            await kubectl("delete", "pod", pod, "-n", NAMESPACE)

        yield Cluster(world, end_leader)
        await world.clean()
