"""What the tests over REST share: a control plane with everything on it, and a Syndesis server for each test."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "controlplane"))

from deliveries import Deliverer, delivering
from keycloak_fixture import keycloak, realm, shared_realm, users
from planes import before_enmasse_031
from world import World

from integration_operator.kube.client import Client
from integration_operator.localcluster.controlplane import ControlPlane
from integration_operator.localcluster.installation import install_all
from integration_operator.localcluster.syndesis_server import SyndesisServer

__all__ = ["keycloak", "realm", "shared_realm", "users"]


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A running control plane."""
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
        yield World(old_plane, person)


@pytest.fixture
async def syndesis_server() -> AsyncIterator[SyndesisServer]:
    """A Syndesis server with a verifier that finds everything in order."""
    async with SyndesisServer.running() as server:
        server.verifier_answer = [{"status": "OK", "scope": s} for s in ("PARAMETERS", "CONNECTIVITY")]
        yield server


@pytest.fixture
async def deliverer(syndesis_server: SyndesisServer) -> AsyncIterator[Deliverer]:
    """The delivery of connections to that server, without a cluster behind it."""
    async with delivering(syndesis_server) as started:
        yield started
