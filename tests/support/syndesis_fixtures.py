"""A stand-in for Syndesis's server for each test, and the delivery of connections to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.deliveries import Deliverer, delivering


@pytest.fixture
async def syndesis_server() -> AsyncIterator[SyndesisServer]:
    """Run a Syndesis server with a verifier that finds everything in order."""
    async with SyndesisServer.running() as server:
        server.verifier_answer = [{"status": "OK", "scope": s} for s in ("PARAMETERS", "CONNECTIVITY")]
        yield server


@pytest.fixture
async def deliverer(syndesis_server: SyndesisServer) -> AsyncIterator[Deliverer]:
    """Return the delivery of connections to that server, without a cluster behind it."""
    async with delivering(syndesis_server) as started:
        yield started
