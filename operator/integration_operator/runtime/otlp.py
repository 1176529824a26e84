"""Traces with OpenTelemetry, sent to a collector by OTLP over HTTP.

A thread of the library sends spans in batches from a bounded queue. A collector that is away or slow costs spans, and
never time: nothing here waits for it, except ``shut_down``, for a moment. All settings are the library's own variables.
"""

from __future__ import annotations

import logging
import math
import threading
import time

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer, set_span_in_context

from integration_operator.runtime.tracing import Attributes

SHUTDOWN_SECONDS = 0.8
"""Seconds that the end of a process waits for a collector: one in the cluster answers within some milliseconds."""

REPEAT_SECONDS = 600.0
"""Seconds before the same line of the library is logged again: it logs each attempt, four in ten seconds."""


class OtlpTracer:
    """Starts traces. The names of the service in the environment take precedence over ``service`` and ``version``."""

    def __init__(self, service: str, version: str) -> None:
        resource = Resource.create({SERVICE_NAME: service, SERVICE_VERSION: version})
        # The library's own handler at exit waits for half a minute.
        self._provider = TracerProvider(
            resource=resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer(service, version)
        self._filter = _Seldom()
        self._log_of_exports = logging.getLogger(OTLPSpanExporter.__module__)
        self._log_of_exports.addFilter(self._filter)

    def start(self, name: str, attributes: Attributes) -> OtlpSpan:
        """Start a trace with its first span."""
        return OtlpSpan(self._tracer, self._tracer.start_span(name, Context(), attributes=attributes))

    def shut_down(self) -> None:
        """Send the spans that are left, within ``SHUTDOWN_SECONDS``; what is not sent then is lost."""
        thread = threading.Thread(target=self._provider.shutdown, daemon=True)  # ends with the process
        thread.start()
        thread.join(SHUTDOWN_SECONDS)
        self._log_of_exports.removeFilter(self._filter)


class _Seldom(logging.Filter):
    """Lets a message pass once in ``REPEAT_SECONDS``, whatever its arguments are."""

    def __init__(self) -> None:
        super().__init__()
        self._passed_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - self._passed_at.get(record.msg, -math.inf) < REPEAT_SECONDS:
            return False
        self._passed_at[record.msg] = now
        return True


class OtlpSpan:
    """A span of OpenTelemetry."""

    __slots__ = ("_span", "_tracer")

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer = tracer
        self._span = span

    def child(self, name: str, attributes: Attributes, *, seconds: float | None = None) -> OtlpSpan:
        """Start a step of this one: a request that began ``seconds`` ago, or, with None, one that begins now."""
        span = self._tracer.start_span(
            name,
            set_span_in_context(self._span, Context()),
            SpanKind.INTERNAL if seconds is None else SpanKind.CLIENT,
            attributes,
            start_time=None if seconds is None else time.time_ns() - int(seconds * 1e9),
        )
        return OtlpSpan(self._tracer, span)

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""
        self._span.set_attributes(attributes)

    def fail(self, kind: str, message: str = "") -> None:
        """Mark the step as failed. ``kind`` is of few values, such as a reason or a status code."""
        self._span.set_attribute("error.type", kind)
        self._span.set_status(StatusCode.ERROR, message or None)

    def end(self) -> None:
        """End the step."""
        self._span.end()
