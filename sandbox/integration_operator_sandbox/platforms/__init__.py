"""EnMasse and Syndesis on this machine: reduced CustomResourceDefinitions, SIMULATIONS of both, and a real Keycloak."""

from __future__ import annotations

from integration_operator_sandbox.platforms.crd import install_crds, install_platform_crds, platform_crds
from integration_operator_sandbox.platforms.enmasse import Login, Messaging, SimulatedEnMasse
from integration_operator_sandbox.platforms.syndesis import SimulatedSyndesis, Stored

__all__ = [
    "Login",
    "Messaging",
    "SimulatedEnMasse",
    "SimulatedSyndesis",
    "Stored",
    "install_crds",
    "install_platform_crds",
    "platform_crds",
]
