"""A real AMQP broker on this machine: Apache ActiveMQ Artemis, the broker that EnMasse runs.

Tests and the demo send messages through it with a delivered credential.
"""

from __future__ import annotations

from integration_operator_sandbox.broker.configuration import PLAIN, BrokerUser
from integration_operator_sandbox.broker.server import Artemis

__all__ = ["PLAIN", "Artemis", "BrokerUser"]
