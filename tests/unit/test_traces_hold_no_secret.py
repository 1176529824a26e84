"""What a span has of a request, which requests have none, and how errors are told apart."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
import time

import httpx
import pytest

from integration_operator.backends.keycloak import transport
from integration_operator.backends.limits import Limits
from integration_operator.metrics import KEYCLOAK_REQUEST, KUBERNETES_REQUEST
from integration_operator.runtime import tracing
from integration_operator.runtime.errors import Failure
from integration_operator.runtime.tracing import exporting
from tests.support.otlp_collector import Collector

PATH = "/auth/admin/realms/shop-orders/users"


def use(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)


async def test_a_request_to_keycloak_has_neither_query_nor_user(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Collector.running() as collector:
        use(collector, monkeypatch)
        with exporting("test", "1") as tracer:
            assert tracer is not None
            async with transport.client(ssl.create_default_context(), 1, Limits()) as session:
                with tracing.running(tracer.start("a", {})), pytest.raises(httpx.ConnectError):
                    await session.get(f"http://ann:hidden@127.0.0.1:1{PATH}?username=hidden")
            await asyncio.to_thread(tracer.shut_down)
    (span,) = collector.named("GET users")
    assert span.attributes == {
        "http.request.method": "GET",
        "url.full": f"http://127.0.0.1:1{PATH}",
        "server.address": "127.0.0.1",
        "server.port": 1,
        "peer.service": "keycloak",
        "error.type": "no answer",
    }
    assert b"hidden" not in collector.received


async def test_requests_of_nothing_that_is_traced_have_no_span(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a LIST of a reflector, and a renewal of the Lease."""
    async with Collector.running() as collector:
        use(collector, monkeypatch)
        with exporting("test", "1") as tracer:
            assert tracer is not None
            KUBERNETES_REQUEST("GET", "https://10.0.0.1", "/api/v1/secrets", 200, 0.1)
            with tracing.running(tracer.start("a", {})):
                KUBERNETES_REQUEST("GET", "https://10.0.0.1", "/api/v1/pods", 200, 0.1)
            KEYCLOAK_REQUEST("GET", "https://keycloak", PATH, 200, 0.1)
            await asyncio.to_thread(tracer.shut_down)
    assert [span.name for span in collector.spans] == ["GET pods", "a"]
    request, root = collector.spans
    assert request.attributes["server.port"] == 443
    assert 0.09e9 < request.ended - request.began < 0.2e9
    assert (root.failed, request.failed) == (False, False)


async def test_a_request_to_an_invalid_url_fails_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Collector.running() as collector:
        use(collector, monkeypatch)
        with exporting("test", "1") as tracer:
            assert tracer is not None
            with tracing.running(tracer.start("a", {})):
                for server in ("http://10.0.0.1:99999", "http://[10.0.0.1"):
                    KUBERNETES_REQUEST("GET", server, "/api/v1/pods", 0, 0.1)
            await asyncio.to_thread(tracer.shut_down)
    expected = {"http.request.method": "GET", "peer.service": "kubernetes", "error.type": "no answer"}
    assert [span.attributes for span in collector.named("GET pods")] == [expected, expected]
    assert not collector.named("a")[0].failed


async def test_a_failure_has_a_message_and_a_defect_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Collector.running() as collector:
        use(collector, monkeypatch)
        with exporting("test", "1") as tracer:
            assert tracer is not None
            for error in (Failure("Refused", "for users"), ValueError("hidden")):
                with pytest.raises(type(error)), tracing.running(tracer.start("a", {})), tracing.step("b", {}):
                    raise error
            await asyncio.to_thread(tracer.shut_down)
    failed = [(span.attributes["error.type"], span.message) for span in collector.named("b")]
    assert failed == [("Refused", "for users"), ("ValueError", "")]
    assert all(span.failed for span in collector.spans)
    assert b"hidden" not in collector.received


def test_a_collector_that_is_away_is_logged_once(monkeypatch: pytest.MonkeyPatch, operator_log: io.StringIO) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=hidden")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.1")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    with exporting("test", "1") as tracer:
        assert tracer is not None
        for _ in range(10):
            tracer.start("a", {}).end()
            time.sleep(0.1)
    lines = [line for line in map(json.loads, operator_log.getvalue().splitlines()) if line["level"] == "error"]
    assert [line["event"] for line in lines] == [
        "Failed to export spans batch due to timeout, max retries or shutdown."
    ]
    assert "hidden" not in operator_log.getvalue()


@pytest.mark.parametrize(("variable", "value"), [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_SDK_DISABLED", "true")])
def test_standard_variables_switch_it_off(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(variable, value)
    with exporting("test", "1") as tracer:
        assert tracer is None


@pytest.mark.parametrize(
    ("variable", "value", "event", "why"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "-1", "traces not exported", "max_queue_size must be"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "protocol not supported", "is used instead of grpc"),
    ],
)
def test_a_wrong_variable_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, operator_log: io.StringIO, variable: str, value: str, event: str, why: str
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(variable, value)
    with exporting("test", "1"):
        (line,) = [json.loads(text) for text in operator_log.getvalue().splitlines()]
    assert (line["event"], line["level"]) == (event, "warning")
    assert why in line["error"]
