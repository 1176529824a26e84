"""The real Keycloak that the promises of the Keycloak delivery are tried on: one for each worker process."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from integration_operator.localcluster.errors import ToolchainMissing
from integration_operator.localcluster.keycloak import Keycloak


@pytest.fixture(scope="session")
def keycloak() -> Iterator[Keycloak]:
    """A running Keycloak. Without Java or Maven its tests are skipped, which must not happen unseen in CI."""
    try:
        running = Keycloak.start()
    except ToolchainMissing as error:
        if os.environ.get("CI"):
            pytest.fail(error.message)
        pytest.skip(error.message)
    with running:
        yield running
