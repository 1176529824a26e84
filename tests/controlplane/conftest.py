"""One real control plane for each worker process of the test run, with all kinds installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from integration_operator.localcluster.controlplane import ControlPlane
from integration_operator.localcluster.platforms import install_kinds, platform_definitions

CRDS = Path(__file__).parents[2] / "crds"


def install_all_kinds(plane: ControlPlane) -> None:
    """The stand-ins for the platforms' kinds, and the operator's own as they are committed."""
    own = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(CRDS.glob("*.yaml"))]
    install_kinds(plane.kubeconfig(), [*platform_definitions(), *own])


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """A running control plane. The kinds come before the garbage collector, which knows them from its start."""
    with ControlPlane.start(before_controllers=install_all_kinds) as plane:
        yield plane
