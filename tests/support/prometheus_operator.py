"""The kinds of the Prometheus operator, from its Go module."""

from __future__ import annotations

import yaml

from integration_operator_sandbox.platforms.crd import install_crds
from tests.support import go_programs
from tests.support.world import World

MODULE = "github.com/prometheus-operator/prometheus-operator"
VERSION = "v0.92.0"
KINDS = ("servicemonitors", "prometheusrules")


def install_kinds(world: World) -> None:
    """Install the kinds that deploy/ uses. They stay: a control plane with them is as one without them."""
    directory = go_programs.downloaded(MODULE, VERSION) / "example" / "prometheus-operator-crd"
    files = [directory / f"monitoring.coreos.com_{kind}.yaml" for kind in KINDS]
    install_crds(world.control_plane.kubeconfig(), [yaml.safe_load(file.read_text()) for file in files])
