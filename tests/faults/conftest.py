"""The server of all tests of reflectors."""

from __future__ import annotations

import pytest

from tests.support.thing_server import ThingServer, thing


@pytest.fixture
def server() -> ThingServer:
    """Return a server with two objects; a test starts it."""
    made = ThingServer()
    made.objects = [thing("a", 1), thing("b", 1)]
    return made
