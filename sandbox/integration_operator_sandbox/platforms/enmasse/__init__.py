"""A SIMULATION of EnMasse 0.33, for tests and the demo."""

from __future__ import annotations

from integration_operator_sandbox.platforms.enmasse.controller import FINALIZER, SimulatedEnMasse
from integration_operator_sandbox.platforms.enmasse.objects import CERTIFICATE, Login, Messaging

__all__ = ["CERTIFICATE", "FINALIZER", "Login", "Messaging", "SimulatedEnMasse"]
