"""The operator's Prometheus metrics."""

from __future__ import annotations

from prometheus_client import Gauge

from integration_operator.runtime.metrics import ClientMetrics, ControllerMetrics

PREFIX = "integration_operator"

CONTROLLER = ControllerMetrics(PREFIX)
CLIENT = ClientMetrics(PREFIX)
KIND_SYNCED = Gauge(f"{PREFIX}_kind_synced", "1 if the store of a kind is in sync with the server", ["kind"])
HELD = Gauge(f"{PREFIX}_mass_deletion_held", "Objects that vanished at once, whose pairs the guard holds", ["kind"])
LEADER = Gauge(f"{PREFIX}_leader", "1 if this process leads and writes, 0 if it stands by")
OFFERS_EXHAUSTED = Gauge(
    f"{PREFIX}_offers_exhausted", "Namespaces that have the most offers from other namespaces that they may have"
)
