"""Real control planes, one of each sort for each worker process, and a test's own part of one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from integration_operator.runtime.client import Client
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.controlplane.users import NAMESPACE
from integration_operator_sandbox.deployment import install_all, operator_crds
from integration_operator_sandbox.platforms.crd import install_crds, platform_crds
from tests.support.earlier_enmasse import INFRASTRUCTURE, before_enmasse_031, kinds_before_enmasse_031
from tests.support.world import World


@asynccontextmanager
async def world_on(plane: ControlPlane) -> AsyncIterator[World]:
    """Create a test's own part of a control plane; the test removes what it creates."""
    async with Client.from_kubeconfig(plane.kubeconfig("user"), user_agent="kubectl") as kubectl:
        yield World(plane, kubectl)


@asynccontextmanager
async def finished_world_on(plane: ControlPlane, *namespaces: str) -> AsyncIterator[World]:
    """Create a test's own part of a control plane, with these namespaces, and delete what is in it afterwards.

    Check before that docs/conditions.md has what its Integrations report.
    """
    async with world_on(plane) as world:
        await world.ensure_namespaces(*namespaces)
        yield world
        undocumented = await world.undocumented()
        await world.clean()
        assert undocumented == set(), "docs/conditions.md has every reason for its condition"


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """Run a control plane. The kinds come before the garbage collector, which knows them from its start."""
    with ControlPlane.start(before_controllers=install_all) as plane:
        yield plane


@pytest.fixture
async def world(control_plane: ControlPlane) -> AsyncIterator[World]:
    """Return a test's own part of the control plane; delete what is in it afterwards."""
    async with finished_world_on(control_plane) as made:
        yield made


@pytest.fixture(scope="session")
def old_plane() -> Iterator[ControlPlane]:
    """Run a control plane as EnMasse ≤ 0.30 has it, without its kinds."""
    with ControlPlane.start(before_controllers=before_enmasse_031) as plane:
        yield plane


@pytest.fixture
async def old(old_plane: ControlPlane) -> AsyncIterator[World]:
    """Return a test's own part of that one; the test deletes its AddressSpaces itself."""
    async with finished_world_on(old_plane) as made:
        yield made


@pytest.fixture(scope="session")
def bare_plane() -> Iterator[ControlPlane]:
    """Run a control plane with all kinds, in which nothing is installed."""

    def kinds(plane: ControlPlane) -> None:
        install_crds(plane.kubeconfig(), [*platform_crds(), *operator_crds()])

    with ControlPlane.start(before_controllers=kinds) as plane:
        yield plane


@pytest.fixture
async def bare(bare_plane: ControlPlane) -> AsyncIterator[World]:
    """Return a test's own part of that one; the test removes what it installs."""
    async with finished_world_on(bare_plane, NAMESPACE, INFRASTRUCTURE) as made:
        yield made


@pytest.fixture(scope="session")
def bare_old_plane() -> Iterator[ControlPlane]:
    """Run a control plane as EnMasse ≤ 0.30 has it, in which nothing is installed."""
    with ControlPlane.start(before_controllers=kinds_before_enmasse_031) as plane:
        yield plane


@pytest.fixture
async def bare_old(bare_old_plane: ControlPlane) -> AsyncIterator[World]:
    """Return a test's own part of that one; the test removes its AddressSpaces and what it installs."""
    async with finished_world_on(bare_old_plane, NAMESPACE) as made:
        yield made


@pytest.fixture
def upgradable() -> Iterator[ControlPlane]:
    """Run a control plane for one test, which installs EnMasse's kinds on it."""
    with ControlPlane.start(before_controllers=before_enmasse_031) as plane:
        yield plane
