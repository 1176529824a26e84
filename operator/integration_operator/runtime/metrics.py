"""Prometheus metrics of a controller and its client, named as in controller-runtime, with a prefix."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RECONCILE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ControllerMetrics:
    """Metrics of the work queue and of reconciles."""

    def __init__(self, prefix: str) -> None:
        self.reconciles = Counter(f"{prefix}_reconciles", "Reconciles, by result: ok, retry, error, defect", ["result"])
        self.reconcile_seconds = Histogram(
            f"{prefix}_reconcile_seconds", "Duration of a reconcile", buckets=RECONCILE_BUCKETS
        )
        self.queue_depth = Gauge(f"{prefix}_queue_depth", "Keys ready for a worker")

    def observe_reconcile(self, result: str, seconds: float) -> None:
        """Count a reconcile."""
        self.reconciles.labels(result).inc()
        self.reconcile_seconds.observe(seconds)


class ClientMetrics:
    """Metrics of requests to the API server, except watches."""

    def __init__(self, prefix: str) -> None:
        self.requests = Counter(
            f"{prefix}_requests", "Requests to the API server, except watches", ["verb", "resource", "code"]
        )
        self.request_seconds = Histogram(
            f"{prefix}_request_seconds", "Duration of a request to the API server", ["verb"], buckets=REQUEST_BUCKETS
        )

    def observe_request(self, verb: str, path: str, status: int, seconds: float) -> None:
        """Count a request; ``status`` 0 means no response."""
        self.requests.labels(verb, resource_of(path), str(status or "none")).inc()
        self.request_seconds.labels(verb).observe(seconds)


def resource_of(path: str) -> str:
    """Return the plural of an API path with its subresource (``integrations/status``), without object names."""
    parts = path.strip("/").split("/")
    rest = parts[3:] if parts[0] == "apis" else parts[2:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    if len(rest) > 2:
        return f"{rest[0]}/{rest[2]}"
    return rest[0] if rest else "discovery"
