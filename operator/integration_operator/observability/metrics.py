"""Prometheus metrics. Names follow the conventions of Prometheus and of controller-runtime's work queue."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RECONCILES = Counter(
    "integration_operator_reconciles", "Pairs looked at, by result: ok, retry, error, defect", ["result"]
)
RECONCILE_SECONDS = Histogram(
    "integration_operator_reconcile_seconds",
    "Time to bring a pair to what its facts ask for",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
REQUESTS = Counter(
    "integration_operator_requests", "Requests to the API server, watches aside", ["verb", "resource", "code"]
)
REQUEST_SECONDS = Histogram(
    "integration_operator_request_seconds",
    "Time of a request to the API server",
    ["verb"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
KIND_SYNCED = Gauge(
    "integration_operator_kind_synced", "1 where the store of a kind is in step with the server", ["kind"]
)
HELD = Gauge("integration_operator_mass_deletion_held", "Objects that vanished at once and are held", ["kind"])
OFFERS_EXHAUSTED = Gauge(
    "integration_operator_offers_exhausted",
    "Namespaces that have as many offers from other namespaces as they may have",
)
QUEUE_DEPTH = Gauge("integration_operator_queue_depth", "Keys that are ready to be worked on")


def observe_request(verb: str, path: str, status: int, seconds: float) -> None:
    """Count one request; ``status`` 0 is no answer."""
    REQUESTS.labels(verb, _resource(path), str(status or "none")).inc()
    REQUEST_SECONDS.labels(verb).observe(seconds)


def _resource(path: str) -> str:
    """The plural that a path is about, with its subresource: ``integrations/status``; never a name."""
    parts = path.strip("/").split("/")
    rest = parts[3:] if parts[0] == "apis" else parts[2:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    if len(rest) > 2:
        return f"{rest[0]}/{rest[2]}"
    return rest[0] if rest else "discovery"
