"""The controller loop: workers take keys from a work queue and reconcile them until the controller stops.

``reconcile`` returns a ``Result`` or raises. The type of a ``Failure`` sets how it is retried. Any other exception is a
defect: it is logged and retried, and the other keys go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog

from integration_operator.runtime import tracing
from integration_operator.runtime.errors import Failure
from integration_operator.runtime.metrics import ControllerMetrics
from integration_operator.runtime.tracing import Tracer
from integration_operator.runtime.workqueue import WorkQueue

K = TypeVar("K", bound=Hashable)

DEFECT_DELAY = 1.0
"""Minimum seconds before a key is retried after a defect."""

SPAN = "reconcile"
"""The first span of each trace."""


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a reconcile. ``requeue_after`` is in seconds; 0 waits for the next change."""

    requeue_after: float = 0.0


class Controller(Generic[K]):
    """Runs ``reconcile`` for the keys of a queue after ``synced`` has returned.

    ``kind`` is the kind of the objects that it keeps. ``log_fields`` returns the fields by which log lines, and the
    spans of ``tracer``, name a key.
    """

    def __init__(
        self,
        reconcile: Callable[[K], Awaitable[Result]],
        queue: WorkQueue[K],
        *,
        kind: str,
        workers: int,
        synced: Callable[[], Awaitable[object]],
        metrics: ControllerMetrics,
        log_fields: Callable[[K], Mapping[str, str]],
        clock: Callable[[], float] | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self._reconcile = reconcile
        self._queue = queue
        self._kind = kind
        self._workers = workers
        self._synced = synced
        self._metrics = metrics
        self._log_fields = log_fields
        self._clock = clock or asyncio.get_running_loop().time
        self._tracer = tracer
        self._log = structlog.get_logger(__name__)

    async def run(self) -> None:
        """Run the workers until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._workers):
                group.create_task(self._work(), name=f"worker {number}")

    async def stop(self) -> None:
        """Stop handing out keys and wait for running reconciles."""
        self._queue.shut_down()
        await self._queue.drained()

    async def _work(self) -> None:
        await self._synced()
        while (key := await self._queue.get()) is not None:
            began = self._clock()
            try:
                outcome = await (self._process(key) if self._tracer is None else self._traced(key, self._tracer))
            finally:
                self._queue.done(key)
            self._metrics.observe_reconcile(outcome, self._clock() - began)

    async def _traced(self, key: K, tracer: Tracer) -> str:
        """Reconcile a key in a trace of its own; return the outcome."""
        attributes: dict[str, str | float] = {
            f"reconcile.{name}": value for name, value in self._log_fields(key).items()
        }
        attributes |= {"reconcile.kind": self._kind, "reconcile.queue_seconds": self._queue.seconds_waited(key)}
        with tracing.running(tracer.start(SPAN, attributes)) as span:
            outcome = await self._process(key)
            span.set({"reconcile.result": outcome})
        return outcome

    async def _process(self, key: K) -> str:
        """Reconcile a key and requeue it; return the outcome for the metrics."""
        try:
            result = await self._reconcile(key)
        except Failure as error:
            tracing.fail(error)
            if error.deferred:
                self._queue.add_after(key, error.retry_after or 0.0)
                return "retry"
            if not error.quiet:
                self._log.warning("reconcile failed", **self._log_fields(key), error=str(error))
            self._queue.add_rate_limited(key, at_least=error.retry_after or 0.0, max_delay=error.max_delay)
            return "retry" if error.quiet else "error"
        except Exception as error:
            tracing.fail(error)
            self._log.exception("reconcile panicked", **self._log_fields(key))
            self._queue.add_rate_limited(key, at_least=DEFECT_DELAY)
            return "defect"
        self._queue.forget(key)
        if result.requeue_after > 0:
            self._queue.add_after(key, result.requeue_after)
        return "ok"
