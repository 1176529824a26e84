"""A test of an AMQP 1.0 endpoint, step by step: name, TCP, TLS, log-in, permission, message.

It knows AMQP and nothing of Kubernetes or the product. There is one connection: Python's ``ssl`` verifies the broker,
and python-qpid-proton's protocol engine speaks AMQP over it. The engine is an optional dependency: only ``amqp.py``
loads it, when it is used.
"""

from __future__ import annotations

from integration_operator.messaging.model import Endpoint, Operation, Outcome, Reason, Step, StepName, Use
from integration_operator.messaging.probe import probe

__all__ = ["Endpoint", "Operation", "Outcome", "Reason", "Step", "StepName", "Use", "probe"]
