"""What the tests over REST share: a real Keycloak, and a stand-in for Syndesis's server for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.deliveries import Deliverer, delivering
from tests.support.keycloak_fixture import keycloak, realm, shared_realm, users
from tests.support.planes import before_enmasse_031

__all__ = ["keycloak", "realm", "shared_realm", "users"]


@pytest.fixture
def upgradable() -> Iterator[ControlPlane]:
    """A control plane of one test's own that EnMasse's kinds may come to."""
    with ControlPlane.start(before_controllers=before_enmasse_031) as plane:
        yield plane


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
