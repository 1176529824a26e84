"""Traces: one for each reconcile, with all that it asked of other systems, and nothing that anyone has to wait for."""

from __future__ import annotations

import asyncio
import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

import pytest

from integration_operator.domain.model import naming
from integration_operator.runtime.otlp import SHUTDOWN_SECONDS
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.connection_controller import create_connection, in_phase
from tests.support.documents import decoded
from tests.support.otlp_collector import Collector, ExportedSpan
from tests.support.rest_delivery import rest_pair
from tests.support.world import World

MARGIN_SECONDS = 2.0
"""Seconds that the interpreter of a process takes to end, on a busy machine."""


class Process:
    """A process of the product, with variables of OpenTelemetry."""

    def __init__(self, kubeconfig: Path, log: Path, command: str, *flags: str, **environment: str) -> None:
        arguments = [sys.executable, "-m", "integration_operator", command, "--probe-port", "0", "--metrics-port", "0"]
        arguments += ["--log-format", "json", "--kubeconfig", str(kubeconfig), *flags]
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                arguments, stdout=output, stderr=output, env={"PATH": "/usr/bin:/bin", **environment}
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    async def stop(self) -> None:
        """End the process with SIGTERM."""
        self._process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(self._process.wait, 40) == 0, self.log

    def kill(self) -> None:
        """End the process if it still runs."""
        self._process.kill()
        self._process.wait()


@asynccontextmanager
async def operating(
    world: World, directory: Path, *flags: str, command: str = "run", user: str = "operator", **environment: str
) -> AsyncIterator[Process]:
    kubeconfig = world.control_plane.kubeconfig(user)
    process = Process(kubeconfig, directory / "operator.log", command, *flags, **environment)
    try:
        yield process
    finally:
        process.kill()


def check_request(span: ExportedSpan, verb: str, path: str, status: int) -> None:
    """Check a span against OpenTelemetry's conventions for HTTP clients."""
    url = str(span.attributes["url.full"])
    assert span.attributes["http.request.method"] == verb
    assert span.attributes["http.response.status_code"] == status
    assert url.endswith(path)
    assert f"//{span.attributes['server.address']}:{span.attributes['server.port']}/" in url
    assert span.kind == "client"


async def test_a_delivery_is_a_tree_for_each_reconcile(world: World, tmp_path: Path) -> None:
    async with Collector.running() as collector, world.platforms():
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_RESOURCE_ATTRIBUTES": "k8s.cluster.name=here"}
        async with operating(world, tmp_path, **variables) as process:
            pair = await world.pair()
            await world.deliver(pair)
            password = decoded(await world.get("Secret", naming.secret_ref(pair)))["password"]
            await process.stop()
    assert {(r["service.name"], r["k8s.cluster.name"]) for r in collector.resources} == {
        ("integration-operator", "here")
    }

    ours = [s for s in collector.named("reconcile") if s.attributes["reconcile.pair"] == str(pair)]
    for span in ours:
        assert (span.parent, span.kind) == (b"", "internal")
        assert span.attributes["reconcile.namespace"] == pair.syndesis.namespace
        assert span.attributes["reconcile.name"] == naming.integration_name(pair)
        assert span.attributes["reconcile.kind"] == "Integration"
        assert span.attributes["reconcile.result"] in ("ok", "retry")
        assert 0 <= float(span.attributes["reconcile.queue_seconds"]) < 30
    assert len({span.trace for span in ours}) == len(ours), "each reconcile is a trace"

    roots = {span.id: span for span in ours}
    requests = [span for root in ours for span in collector.below(root)]
    assert {span.trace for span in collector.spans} == {span.trace for span in ours}, "no span is outside of a trace"
    by_name = {span.name: span for span in requests}
    assert {"PATCH integrations", "PATCH secrets", "PATCH messagingusers", "PATCH connections"} <= by_name.keys()
    user = naming.user_ref(pair)
    users = f"/apis/user.enmasse.io/v1beta1/namespaces/{user.namespace}/messagingusers/{user.name}"
    check_request(by_name["PATCH messagingusers"], "PATCH", users, 201)
    for span in requests:
        assert span.began >= roots[span.parent].began - 5_000_000, "measured with two clocks"
        assert span.began <= span.ended
        assert "?" not in str(span.attributes["url.full"])
    for word in (password, base64.b64encode(password.encode()).decode()):
        assert word.encode() not in collector.received
    assert b"Bearer" not in collector.received


async def test_a_call_over_rest_has_its_requests_below_it(
    world: World, syndesis_server: SyndesisServer, tmp_path: Path
) -> None:
    async with Collector.running() as collector, world.platforms():
        url = f"http://someone:hidden-in-a-url@{syndesis_server.url.partition('//')[2]}"
        variables = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{collector.url}/v1/traces"}
        async with operating(world, tmp_path, "--syndesis-url", url, **variables) as process:
            pair = await rest_pair(world)
            await world.offered(pair)
            await world.enable(pair)
            await world.has_reason(pair, "Verified", "ConnectionVerified")
            password = decoded(await world.get("Secret", naming.secret_ref(pair)))["password"]
            await process.stop()
    calls = [span for span in collector.named("ensure over REST") if span.attributes["call.pair"] == str(pair)]
    assert calls
    roots = {span.id for span in collector.named("reconcile")}
    for call in calls:
        assert call.parent in roots
        assert (call.attributes["call.kind"], call.attributes["call.delivery"]) == ("Connection", "rest")
        assert not call.failed
    below = {span.name: span for call in calls for span in collector.below(call)}
    assert {"POST connections", "POST connectors/verifier"} <= below.keys()
    check_request(below["POST connections"], "POST", "/api/v1/connections", 200)
    assert below["POST connections"].attributes["peer.service"] == "syndesis"
    for word in (password, "hidden-in-a-url"):
        assert word.encode() not in collector.received


async def test_the_connection_controller_has_traces_of_its_own(
    world: World, syndesis_server: SyndesisServer, tmp_path: Path
) -> None:
    async with Collector.running() as collector:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        name = "connection-controller"
        async with operating(
            world, tmp_path, "--syndesis-url", syndesis_server.url, command=name, user=name, **variables
        ) as process:
            namespace = await world.namespace("fuse")
            await world.syndesis(namespace)
            ref = await create_connection(world, namespace)
            await in_phase(world, ref, "Ready")
            await process.stop()
    assert {resource["service.name"] for resource in collector.resources} == {name}
    named = {"reconcile.kind": "Connection", "reconcile.namespace": namespace, "reconcile.name": ref.name}
    ours = [span for span in collector.named("reconcile") if named.items() <= span.attributes.items()]
    below = {span.name: span for root in ours for span in collector.below(root)}
    assert below["POST connections"].attributes["peer.service"] == "syndesis"
    assert "PATCH connections/status" in below
    assert b"secret-1" not in collector.received


async def test_a_call_that_fails_says_why(world: World, tmp_path: Path) -> None:
    async with Collector.running() as collector, world.platforms():
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        flags = ["--syndesis-url", "http://127.0.0.1:1"]
        async with operating(world, tmp_path, *flags, **variables) as process:
            pair = await rest_pair(world)
            await world.offered(pair)
            await world.enable(pair)
            await world.has_reason(pair, "SyndesisUnavailable", "ConnectionReady")
            await process.stop()
    call = next(span for span in collector.named("ensure over REST") if collector.below(span))
    assert call.failed
    assert call.attributes["error.type"] == "SyndesisUnavailable"
    assert "connection refused" in call.message
    (request,) = collector.below(call)
    assert (request.failed, request.attributes["error.type"]) == (True, "no answer")


async def test_a_collector_that_hangs_delays_nothing(world: World, tmp_path: Path) -> None:
    """Neither a delivery nor the end of the process waits for it; the queue of spans is full here."""
    async with Collector.running(hangs=True) as collector, world.platforms():
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "10",
            "OTEL_BSP_MAX_QUEUE_SIZE": "2",
            "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "1",
        }
        async with operating(world, tmp_path, **variables) as process:
            pair = await world.pair()
            await world.deliver(pair)
            assert collector.asked
            await process.stop()
            ended = time.time()
            assert "Queue full" in process.log
            (stopped,) = [line for line in map(json.loads, process.log.splitlines()) if line["event"] == "stopped"]
            assert ended - datetime.fromisoformat(stopped["timestamp"]).timestamp() < SHUTDOWN_SECONDS + MARGIN_SECONDS


async def test_a_collector_that_is_away_fails_nothing(world: World, tmp_path: Path) -> None:
    async with world.platforms():
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "10"}
        async with operating(world, tmp_path, **variables) as process:
            await world.deliver(await world.pair())
            await process.stop()
            assert "reconcile failed" not in process.log


@pytest.mark.parametrize(("endpoint", "is_loaded"), [("", False), ("http://127.0.0.1:1", True)])
async def test_without_a_collector_the_library_is_not_loaded(
    world: World, tmp_path: Path, endpoint: str, is_loaded: bool
) -> None:
    variables = {"PYTHONPROFILEIMPORTTIME": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    async with world.platforms(), operating(world, tmp_path, **variables) as process:
        await world.deliver(await world.pair())
        await process.stop()
        assert "integration_operator.manager" in process.log, "imports are listed"
        assert ("opentelemetry" in process.log) == is_loaded


async def test_without_the_library_it_starts_and_warns_once(world: World, tmp_path: Path) -> None:
    missing = tmp_path / "opentelemetry"
    missing.mkdir()
    (missing / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'opentelemetry'\")")
    variables = {"PYTHONPATH": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    async with world.platforms(), operating(world, tmp_path, **variables) as process:
        await world.deliver(await world.pair())
        await process.stop()
        (warning,) = [line for line in map(json.loads, process.log.splitlines()) if line["level"] == "warning"]
    assert warning["event"] == "traces not exported"
    assert warning["error"].startswith("No module named 'opentelemetry'; install the extra otel")


async def test_a_variable_that_switches_the_library_off_does_so(world: World, tmp_path: Path) -> None:
    async with Collector.running() as collector, world.platforms():
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_TRACES_SAMPLER": "always_off"}
        async with operating(world, tmp_path, **variables) as process:
            await world.deliver(await world.pair())
            await process.stop()
    assert collector.asked == 0
