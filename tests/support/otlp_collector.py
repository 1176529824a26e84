"""A collector of traces: OTLP over HTTP, read with the library's own protobuf types."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.support.local_server import listening

Attributes = dict[str, str | int | float]
KINDS = {Span.SPAN_KIND_INTERNAL: "internal", Span.SPAN_KIND_CLIENT: "client"}


@dataclass(frozen=True)
class ExportedSpan:
    """A span as the collector got it; times in nanoseconds since 1970, ``parent`` is empty for the first of a trace."""

    trace: bytes
    id: bytes
    parent: bytes
    name: str
    kind: str
    began: int
    ended: int
    failed: bool
    message: str
    attributes: Attributes


@dataclass
class Collector:
    """A collector at ``url``. If it ``hangs`` it answers nothing."""

    url: str
    hangs: bool = False
    asked: int = 0
    spans: list[ExportedSpan] = field(default_factory=list)
    resources: list[Attributes] = field(default_factory=list)
    received: bytes = b""
    """All that was sent to it."""

    def named(self, name: str) -> list[ExportedSpan]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.name == name]

    def below(self, parent: ExportedSpan) -> list[ExportedSpan]:
        """Return the spans directly below one."""
        return [span for span in self.spans if (span.trace, span.parent) == (parent.trace, parent.id)]

    async def answer(self, request: web.Request) -> web.Response:
        """Take spans."""
        self.asked += 1
        body = await request.read()
        if self.hangs:
            await asyncio.sleep(3600)
        self.received += body
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(_attributes(group.resource.attributes))
            self.spans += [_exported(span) for scope in group.scope_spans for span in scope.spans]
        return web.Response()

    @classmethod
    @asynccontextmanager
    async def running(cls, *, hangs: bool = False) -> AsyncIterator[Collector]:
        """Run a collector."""
        application = web.Application()
        runner = web.AppRunner(application, shutdown_timeout=0.1)
        collector = cls("", hangs)
        application.router.add_post("/v1/traces", collector.answer)
        async with listening(runner) as collector.url:
            yield collector


def _exported(span: Span) -> ExportedSpan:
    return ExportedSpan(
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        KINDS[span.kind],
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == Status.STATUS_CODE_ERROR,
        span.status.message,
        _attributes(span.attributes),
    )


def _attributes(items: object) -> Attributes:
    values: Attributes = {}
    for item in items:  # type: ignore[attr-defined]  # a repeated field
        assert isinstance(item, KeyValue)
        values[item.key] = getattr(item.value, str(item.value.WhichOneof("value")))
    return values
