"""Processes that ``up --platforms`` starts beside a control plane: the simulated platforms and the operator."""

from __future__ import annotations

import sys

from integration_operator_sandbox.controlplane import Companion, ControlPlane
from integration_operator_sandbox.deployment import operator_command

PLATFORMS = "platforms"
OPERATOR = "operator"


def platforms(plane: ControlPlane) -> Companion:
    """Return the simulations of EnMasse, Syndesis and a Syndesis server, which serves the companion's port."""
    files = [str(plane.kubeconfig(user)) for user in ("enmasse", "syndesis")]
    module = "integration_operator_sandbox.platforms"
    return Companion(PLATFORMS, lambda port: [sys.executable, "-m", module, *files, str(port)], "/api/v1/connections")


def operator(plane: ControlPlane) -> Companion:
    """Return the operator as it is deployed, with the Syndesis server of ``platforms``."""
    kubeconfig, syndesis_url = plane.kubeconfig("operator"), f"http://127.0.0.1:{plane.port(PLATFORMS)}"
    return Companion(
        OPERATOR,
        lambda port: operator_command("run", kubeconfig, syndesis_url=syndesis_url, port=port),
        "/readyz",
    )
