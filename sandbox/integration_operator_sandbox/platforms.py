"""EnMasse and Syndesis as far as this machine has them: stand-ins for their kinds, and SIMULATIONS of what they do."""

from __future__ import annotations

from integration_operator_sandbox.enmasse import Login, SimulatedEnMasse
from integration_operator_sandbox.kinds import install_kinds, install_platform_kinds, platform_definitions
from integration_operator_sandbox.syndesis import SimulatedSyndesis, Stored

__all__ = [
    "Login",
    "SimulatedEnMasse",
    "SimulatedSyndesis",
    "Stored",
    "install_kinds",
    "install_platform_kinds",
    "platform_definitions",
]
