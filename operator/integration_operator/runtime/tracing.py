"""Traces: what a reconcile did, and how long each step took.

The span that runs is in a context variable. A task that a reconcile creates has its context, so its steps belong to the
reconcile, and no function passes a span on. Without a tracer the variable is always empty, and a step costs one look at
it. OpenTelemetry is an extra: ``otlp`` alone imports it, and only if the environment names a collector.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol
from urllib.parse import urlsplit

import structlog

from integration_operator.runtime.errors import Failure

log = structlog.get_logger(__name__)

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
"""OpenTelemetry's variables, the specific one first (its specification of the OTLP exporter)."""

PROTOCOL = "http/protobuf"

Attributes = Mapping[str, str | int | float]
"""Attributes of a span by name. No value is a secret, a body, a header or a query."""


class Span(Protocol):
    """One timed step."""

    def child(self, name: str, attributes: Attributes, *, seconds: float | None = None) -> Span:
        """Start a step of this one: a request that began ``seconds`` ago, or, with None, one that begins now."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""

    def fail(self, kind: str, message: str = "") -> None:
        """Mark the step as failed. ``kind`` is of few values, such as a reason or a status code."""

    def end(self) -> None:
        """End the step."""


class Tracer(Protocol):
    """Starts traces."""

    def start(self, name: str, attributes: Attributes) -> Span:
        """Start a trace with its first span."""

    def shut_down(self) -> None:
        """Send what is left; return after a moment in any case."""


_current: ContextVar[Span | None] = ContextVar("span", default=None)


@contextmanager
def running(span: Span) -> Iterator[Span]:
    """Make a span the one that runs; on exit, end it. An error that leaves the context marks it as failed."""
    token = _current.set(span)
    try:
        yield span
    except BaseException as error:
        _fail(span, error)
        raise
    finally:
        _current.reset(token)
        span.end()


@contextmanager
def step(name: str, attributes: Attributes) -> Iterator[None]:
    """Time a step of what runs, if that is traced."""
    if (parent := _current.get()) is None:
        yield
        return
    with running(parent.child(name, attributes)):
        yield


def fail(error: Exception) -> None:
    """Mark what runs as failed, if it is traced."""
    if (span := _current.get()) is not None:
        _fail(span, error)


def add_request(system: str, resource: str, verb: str, server: str, path: str, status: int, seconds: float) -> None:
    """Add a request that ended to what runs, if that is traced; ``status`` 0 means no answer.

    The attributes are those of OpenTelemetry's semantic conventions for HTTP clients (1.23).
    """
    if (parent := _current.get()) is None:
        return
    attributes = {"http.request.method": verb, "peer.service": system, **_url_attributes(server + path)}
    if status:
        attributes["http.response.status_code"] = status
    span = parent.child(f"{verb} {resource}", attributes, seconds=seconds)
    if not status:
        span.fail("no answer")
    elif status >= 400:
        span.fail(str(status))
    span.end()


@contextmanager
def exporting(service: str, version: str) -> Iterator[Tracer | None]:
    """Yield the tracer that the environment asks for, None if it asks for none; on exit, send what is left.

    A tracer that cannot be made is a warning: no process depends on a collector.
    """
    if not _is_requested():
        yield None
        return
    protocol = next(filter(None, map(os.environ.get, PROTOCOLS)), PROTOCOL)
    try:
        from integration_operator.runtime.otlp import OtlpTracer

        tracer = OtlpTracer(service, version)
    except ImportError as error:
        log.warning("traces not exported", error=f"{error}; install the extra otel, or unset {ENDPOINTS[1]}")
        yield None
        return
    except Exception as error:  # the library checks variables in many ways
        log.warning("traces not exported", error=f"a variable OTEL_… is not valid: {error}")
        yield None
        return
    if protocol != PROTOCOL:
        log.warning("protocol not supported", error=f"{PROTOCOL} is used instead of {protocol}")
    try:
        yield tracer
    finally:
        tracer.shut_down()


def _url_attributes(url: str) -> dict[str, str | int | float]:
    """Return what a span has of a URL: no query, and nothing before the host. An invalid URL has nothing."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:  # the request failed for it
        return {}
    shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
    return {"url.full": shown, "server.address": parts.hostname or "", "server.port": port}


def _is_requested() -> bool:
    """Return True if an endpoint is set, and no variable switches traces off."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or os.environ.get("OTEL_TRACES_EXPORTER") == "none":
        return False
    return any(os.environ.get(name) for name in ENDPOINTS)


def _fail(span: Span, error: BaseException) -> None:
    """Mark a span as failed. A failure has a message for users; that of another error may have anything."""
    if isinstance(error, Failure):
        span.fail(error.reason, error.message)
    else:
        span.fail(type(error).__name__)
