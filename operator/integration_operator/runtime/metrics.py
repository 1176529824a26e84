"""Prometheus metrics of a controller and its clients, named as in controller-runtime, with a prefix.

What happens is counted when it happens. What is, is read from the queue and the reflectors at a scrape, so that nothing
is to be done at rest. No label has the name of an object, of a namespace or of a user.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from integration_operator.runtime import tracing
from integration_operator.runtime.client import Observer
from integration_operator.runtime.reflector import Reflector, State, WatchEnd
from integration_operator.runtime.workqueue import WorkQueue

RECONCILE_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
QUEUE_BUCKETS = (0.001, 0.01, 0.1, 0.5, 1, 5, 10, 30, 60, 300)

RESULTS = ("ok", "retry", "error", "defect")
"""Results of a reconcile: nothing is left to do, something is, not even that could be reported, a defect."""

CODES = frozenset(
    {200, 201, 202, 204, 301, 302, 307, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429, 500, 502, 503, 504}
)
"""Status codes that are counted each by itself. A tenant's server may answer with any: the others count by their
class."""


class ControllerMetrics:
    """What happens in the work queue, in reconciles and in watches."""

    def __init__(self, prefix: str) -> None:
        self.reconciles = Counter(f"{prefix}_reconciles", "Reconciles, by result.", ["result"])
        for result in RESULTS:  # a series that begins with 1 has no increase
            self.reconciles.labels(result)
        self.reconcile_seconds = Histogram(
            f"{prefix}_reconcile_seconds",
            "Seconds that a reconcile took.",
            buckets=RECONCILE_BUCKETS,
        )
        self.queue_seconds = Histogram(
            f"{prefix}_queue_seconds",
            "Seconds that a key waited for a worker, without delays and back-off.",
            buckets=QUEUE_BUCKETS,
        )
        self.watch_restarts = Counter(
            f"{prefix}_watch_restarts",
            "Watches that ended and were started again, by kind and cause.",
            ["kind", "cause"],
        )

    def observe_reconcile(self, result: str, seconds: float) -> None:
        """Count a reconcile."""
        self.reconciles.labels(result).inc()
        self.reconcile_seconds.observe(seconds)

    def observe_watch_end(self, kind: str, cause: WatchEnd) -> None:
        """Count a watch that ended."""
        self.watch_restarts.labels(kind, cause).inc()


class RequestMetrics:
    """Requests to the systems that the process uses, except watches."""

    def __init__(self, prefix: str) -> None:
        self.requests = Counter(
            f"{prefix}_requests",
            "Requests that ended, except watches, by system, HTTP verb, resource and status code.",
            ["system", "verb", "resource", "code"],
        )
        self.request_seconds = Histogram(
            f"{prefix}_request_seconds",
            "Seconds from a request to the end of its answer, except watches, by system and HTTP verb.",
            ["system", "verb"],
            buckets=REQUEST_BUCKETS,
        )

    def of(self, system: str, resource_of: Callable[[str], str]) -> Observer:
        """Return what counts the requests to a system and adds them to their traces.

        ``resource_of`` returns the resource of a path.
        """

        def observe(verb: str, server: str, path: str, status: int, seconds: float) -> None:
            resource = resource_of(path)
            self.requests.labels(system, verb, resource, code_of(status)).inc()
            self.request_seconds.labels(system, verb).observe(seconds)
            tracing.add_request(system, resource, verb, server, path, status, seconds)

        return observe


def code_of(status: int) -> str:
    """Return the label of a status code: itself if it is common, else its class; ``none`` for 0, no answer."""
    if status in CODES:
        return str(status)
    return f"{status // 100}xx" if 100 <= status < 600 else "other" if status else "none"


def resource_of(path: str) -> str:
    """Return the plural of an API path with its subresource (``integrations/status``), without object names."""
    parts = path.strip("/").split("/")
    rest = parts[3:] if parts[0] == "apis" else parts[2:]
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        rest = rest[2:]
    if len(rest) > 2:
        return f"{rest[0]}/{rest[2]}"
    return rest[0] if rest else "discovery"


def queue_families(prefix: str, queue: WorkQueue[Any]) -> Iterator[Metric]:
    """Yield what a work queue holds."""
    yield GaugeMetricFamily(f"{prefix}_queue_depth", "Keys that are ready for a worker.", len(queue))
    yield GaugeMetricFamily(
        f"{prefix}_queue_retrying", "Keys whose last reconcile failed and that are tried again.", queue.retrying
    )
    yield CounterMetricFamily(
        f"{prefix}_queue_retries", "Keys that failed and were queued again with back-off.", queue.retries
    )
    yield GaugeMetricFamily(
        f"{prefix}_longest_running_reconcile_seconds",
        "Seconds since the oldest reconcile that runs has begun, 0 if none runs.",
        queue.oldest,
    )


def reflector_families(prefix: str, reflectors: Mapping[str, Reflector[Any]]) -> Iterator[Metric]:
    """Yield the state of each kind, when the API server answered for it last, and how many objects are stored."""
    state = GaugeMetricFamily(
        f"{prefix}_kind_state", "1 for the state that a kind is in, by kind and state.", labels=["kind", "state"]
    )
    synced = GaugeMetricFamily(
        f"{prefix}_kind_synced", "1 if the store of a kind is in sync with the server, by kind.", labels=["kind"]
    )
    answered = GaugeMetricFamily(
        f"{prefix}_kind_last_answer_timestamp_seconds",
        "Unix time of the last LIST, watch event, bookmark or start of a watch of a kind that is read. "
        "A watch without events is started again within 5 minutes.",
        labels=["kind"],
    )
    objects = GaugeMetricFamily(f"{prefix}_kind_objects", "Objects that are stored, by kind.", labels=["kind"])
    for kind, reflector in reflectors.items():
        for one in State:
            state.add_metric([kind, one.name.lower()], float(reflector.state is one))
        synced.add_metric([kind], float(reflector.state is State.SYNCED))
        is_read = reflector.state in (State.SYNCED, State.FAILING)
        if is_read and (seconds := reflector.seconds_since_answer) is not None:
            answered.add_metric([kind], time.time() - seconds)
        objects.add_metric([kind], len(reflector.store))
    yield from (state, synced, answered, objects)
