"""Metrics of what is: read from stores, guards and circuit breakers at a scrape.

A process at rest does nothing for them, and a scrape reads the keys of indexes instead of objects. What both processes
of a pair of replicas would report alike, the one that leads reports alone, so that sums are right.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from integration_operator import __version__
from integration_operator.backends import RemoteBackend
from integration_operator.cache import Cache
from integration_operator.controllers.connection.controller import ConnectionController
from integration_operator.controllers.integration.controller import IntegrationController
from integration_operator.metrics import PREFIX
from integration_operator.runtime.lease import LeaderElector
from integration_operator.runtime.metrics import queue_families, reflector_families
from integration_operator.runtime.reflector import Reflector
from integration_operator.runtime.store import Store
from integration_operator.runtime.workqueue import WorkQueue

AGES = (30, 90, 180, 365)
"""Upper bounds of the ages of credentials, in days."""

SYSTEMS = {"rest": "syndesis", "keycloak": "keycloak"}
"""The system of each delivery over REST that has circuit breakers."""

LEADER_ONLY = "Only the process that leads reports it."


class ProcessState(Collector):
    """What each process reports: queue, kinds, leadership and version."""

    def __init__(
        self,
        component: str,
        queue: WorkQueue[Any],
        reflectors: Mapping[str, Reflector[Any]],
        elector: LeaderElector | None,
    ) -> None:
        self._component = component
        self._queue = queue
        self._reflectors = reflectors
        self._elector = elector

    @property
    def is_leading(self) -> bool:
        """True if this process leads, or is alone."""
        return self._elector is None or self._elector.is_leading

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of this process."""
        yield from queue_families(PREFIX, self._queue)
        yield from reflector_families(PREFIX, self._reflectors)
        yield GaugeMetricFamily(
            f"{PREFIX}_leader", "1 if this process leads and writes, 0 if it stands by.", float(self.is_leading)
        )
        yield CounterMetricFamily(
            f"{PREFIX}_lease_transitions",
            "Changes of leader that the Lease records, as far as this process knows. Each process reports all of them.",
            self._elector.transitions if self._elector is not None else 0,
        )
        build = GaugeMetricFamily(
            f"{PREFIX}_build_info", "1, with the component and its versions.", labels=["component", "version", "python"]
        )
        build.add_metric([self._component, __version__, platform.python_version()], 1)
        yield build
        yield from self._shared()

    def _shared(self) -> Iterator[Metric]:
        """Yield what only the process that leads reports."""
        yield from ()

    def _gauge(self, name: str, text: str, value: Callable[[], float]) -> Metric:
        """Return a gauge without labels, without a sample if this process stands by."""
        return GaugeMetricFamily(f"{PREFIX}_{name}", f"{text} {LEADER_ONLY}", value() if self.is_leading else None)

    def _counts(
        self, name: str, text: str, labels: list[str], counts: Callable[[], Iterable[tuple[list[str], float]]]
    ) -> Metric:
        """Return a gauge with labels, without samples if this process stands by."""
        family = GaugeMetricFamily(f"{PREFIX}_{name}", f"{text} {LEADER_ONLY}", labels=labels)
        for values, count in counts() if self.is_leading else ():
            family.add_metric(values, count)
        return family

    def _states(self, name: str, kind: str, store: Store[Any]) -> Metric:
        return self._counts(
            name, f"{kind}s, by state and its reason.", ["state", "reason"], lambda: _keys(store, "state")
        )


class OperatorState(ProcessState):
    """What the process of ``run`` reports beside that: Integrations, credentials, guards."""

    def __init__(
        self,
        cache: Cache,
        controller: IntegrationController,
        remote_backends: Mapping[str, RemoteBackend],
        elector: LeaderElector | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        super().__init__("operator", controller.queue, cache.reflectors, elector)
        self._cache = cache
        self._controller = controller
        self._remote_backends = remote_backends
        self._now = now

    def _shared(self) -> Iterator[Metric]:
        integrations, controller = self._cache.integrations, self._controller
        yield self._states("integrations", "Integration", integrations)
        yield self._counts(
            "integrations_delivered",
            "Integrations of which something is delivered, by the deliveries of user and connection.",
            ["user_delivery", "connection_delivery"],
            lambda: _keys(integrations, "deliveries"),
        )
        yield self._counts(
            "credentials", "Generated credentials, by the time since they were created or rotated.", ["age"], self._ages
        )
        yield self._gauge(
            "rotation_overdue_seconds",
            "Seconds since the earliest time at which spec.rotation.every required a rotation that is not done, 0 if "
            "there is none.",
            self._rotation_overdue,
        )
        yield self._counts(
            "mass_deletion_held",
            "AddressSpaces or Syndesis that vanished at once, whose pairs the guard holds, by kind.",
            ["kind"],
            lambda: [([kind], controller.mass_deletion.held(kind)) for kind in ("AddressSpace", "Syndesis")],
        )
        yield self._gauge(
            "teardowns_postponed",
            "Pairs that wait for their turn to be taken down, because of teardowns_per_minute.",
            lambda: controller.teardowns.postponed,
        )
        yield self._gauge(
            "offers_exhausted",
            "Namespaces that have the most offers from other namespaces that they may have.",
            lambda: len(controller.offers.exhausted_namespaces),
        )
        yield self._counts(
            "circuits_open",
            "Servers to which requests are held back because they fail, by system.",
            ["system"],
            lambda: [
                ([system], self._remote_backends[delivery].open_circuits())
                for delivery, system in SYSTEMS.items()
                if delivery in self._remote_backends
            ],
        )

    def _ages(self) -> Iterator[tuple[list[str], float]]:
        counts = dict.fromkeys((*AGES, None), 0)
        today = self._now().date()
        for day, count in self._cache.secrets.counts("rotated on").items():
            counts[_bound(day, today)] += count
        for bound, count in counts.items():
            yield [f"under {bound} days" if bound else f"{AGES[-1]} days or more"], count

    def _rotation_overdue(self) -> float:
        due = self._cache.integrations.keys("rotation due")
        return max(0.0, (self._now() - min(due)).total_seconds()) if due else 0.0


class ConnectionControllerState(ProcessState):
    """What the process of ``connection-controller`` reports beside that: Connections."""

    def __init__(self, controller: ConnectionController, elector: LeaderElector | None = None) -> None:
        super().__init__("connection-controller", controller.queue, controller.reflectors, elector)
        self._controller = controller

    def _shared(self) -> Iterator[Metric]:
        yield self._states("connections", "Connection", self._controller.connections)
        yield self._counts(
            "circuits_open",
            "Servers to which requests are held back because they fail, by system.",
            ["system"],
            lambda: [(["syndesis"], self._controller.services.open_circuits())],
        )


def _keys(store: Store[Any], index: str) -> list[tuple[list[str], float]]:
    return [(list(key), count) for key, count in store.counts(index).items()]


def _bound(day: date, today: date) -> int | None:
    age = (today - day).days
    return next((bound for bound in AGES if age < bound), None)
