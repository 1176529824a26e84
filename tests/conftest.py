"""Real control planes, one of each sort for each worker process, with the operator's own permissions; and clocks."""

from __future__ import annotations

import io
import logging
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from integration_operator.runtime import logs as operator_logging
from integration_operator.runtime.client import Client
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.deployment import install_all
from tests.support.clocks import Clock
from tests.support.planes import before_enmasse_031
from tests.support.world import World

pytest_plugins = ["tests.support.over_rest"]


@pytest.fixture
def operator_log() -> Iterator[io.StringIO]:
    """What the operator logs, in JSON as its process does.

    Logging belongs to the whole process, so that it is put back for the test that comes next.
    """
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    operator_logging.configure("debug", "json")
    structlog.configure(cache_logger_on_first_use=False)
    stream = io.StringIO()
    for handler in root.handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(stream)
    yield stream
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


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
    async with Client.from_kubeconfig(control_plane.kubeconfig("user"), user_agent="kubectl") as person:
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
    async with Client.from_kubeconfig(old_plane.kubeconfig("user"), user_agent="kubectl") as person:
        made = World(old_plane, person)
        yield made
        await made.clean()
