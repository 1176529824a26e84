"""Real control planes, one of each sort for each worker process, with the operator's own permissions; and clocks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
from clocks import Clock
from planes import before_enmasse_031
from world import World

from integration_operator.kube.client import Client
from integration_operator.localcluster.controlplane import ControlPlane
from integration_operator.localcluster.installation import install_all


@pytest.fixture
def breaker_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of the circuit breakers."""
    clock = Clock(now=1000.0)
    monkeypatch.setattr("circuitbreaker.monotonic", clock)
    return clock


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A running control plane. The kinds come before the garbage collector, which knows them from its start."""
    with ControlPlane.start(before_controllers=install_all) as plane:
        yield plane


@pytest.fixture
async def world(control_plane: ControlPlane) -> AsyncIterator[World]:
    """A test's own part of the control plane, removed afterwards."""
    async with Client.from_kubeconfig(control_plane.kubeconfig("person"), user_agent="kubectl") as person:
        made = World(control_plane, person)
        yield made
        await made.clean()


@pytest.fixture(scope="session")
def old_plane() -> Iterator[ControlPlane]:
    """A control plane as EnMasse ≤ 0.30 has it, without its kinds."""
    with ControlPlane.start(before_controllers=before_enmasse_031) as plane:
        yield plane


@pytest.fixture
async def old(old_plane: ControlPlane) -> AsyncIterator[World]:
    """A test's own part of that one; the test takes its AddressSpaces back."""
    async with Client.from_kubeconfig(old_plane.kubeconfig("person"), user_agent="kubectl") as person:
        made = World(old_plane, person)
        yield made
        await made.clean()
