"""The process: how it starts, what it refuses, what its probes say, and how it ends."""

from __future__ import annotations

import asyncio
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from integration_operator.shipped import shipped_directory
from integration_operator_sandbox.localhost.machine import free_port
from tests.support.probes import answer
from tests.support.world import World


def operator(*flags: str, **environment: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "integration_operator", "run", *flags]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin", **environment}
    )


async def seconds_to_end(process: subprocess.Popen[str]) -> float:
    """End a process with SIGTERM; return how long that took."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.communicate, timeout=40)
    assert process.returncode == 0
    return time.monotonic() - began


async def test_it_serves_probes_and_metrics_and_ends_on_sigterm(world: World) -> None:
    probe, metrics = free_port(), free_port()
    kubeconfig = str(world.control_plane.kubeconfig("operator"))
    flags = ["--bind-address", "127.0.0.1", "--probe-port", str(probe), "--metrics-port", str(metrics)]
    process = operator("--kubeconfig", kubeconfig, *flags)
    try:
        await answer(metrics, "/readyz")
        pair = await world.pair()
        await world.deliver(pair)

        async def ready() -> bool:
            return (await answer(metrics, "/readyz")) == (200, "ok\n")

        await world.eventually("it is ready", ready)
        status, health = await answer(probe, "/healthz")
        assert status == 200
        assert '"AddressSpace": "in sync"' in health
        _, shown = await answer(metrics, "/metrics")
        labels = 'code="201",resource="connections",system="kubernetes",verb="PATCH"'
        assert f"integration_operator_requests_total{{{labels}}} 1" in shown
        assert 'integration_operator_kind_synced{kind="Syndesis"} 1.0' in shown
        assert "integration_operator_leader 1.0" in shown, "one process alone leads"
    finally:
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, errors = await asyncio.to_thread(process.communicate, timeout=40)
    assert process.returncode == 0
    assert time.monotonic() - began < 5
    assert '"event": "stopped"' in errors


async def test_it_ends_as_fast_while_it_watches_some_namespaces(world: World) -> None:
    """At its end kopf waits for each task that was created after it; a watch is none."""
    port = free_port()
    flags = ["--namespaces", f"{await world.namespace('shop')},{await world.namespace('fuse')}"]
    flags += ["--kubeconfig", str(world.control_plane.kubeconfig("operator")), "--bind-address", "127.0.0.1"]
    process = operator(*flags, "--probe-port", "0", "--metrics-port", str(port))
    try:

        async def ready() -> bool:
            return (await answer(port, "/readyz"))[0] == 200

        await world.eventually("it is ready", ready)
        await asyncio.sleep(0.5)  # all is watched
        assert await seconds_to_end(process) < 4.5, "kopf would wait for 5 seconds"
    finally:
        process.kill()


@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
async def test_connections_that_stay_open_do_not_delay_its_end(world: World, path: str) -> None:
    """Prometheus keeps the connection of a scrape for the next one."""
    ports = {"/healthz": free_port(), "/metrics": free_port()}
    flags = ["--probe-port", str(ports["/healthz"]), "--metrics-port", str(ports["/metrics"])]
    kubeconfig = str(world.control_plane.kubeconfig("operator"))
    process = operator("--kubeconfig", kubeconfig, "--bind-address", "127.0.0.1", *flags)
    try:
        await answer(ports[path], path)
        async with aiohttp.ClientSession() as scraper:
            async with scraper.get(f"http://127.0.0.1:{ports[path]}{path}") as response:
                await response.read()
            assert await seconds_to_end(process) < 4.5, "kopf would wait for 5 seconds"
    finally:
        process.kill()


async def test_sigterm_finishes_what_is_in_flight(world: World) -> None:
    namespace = await world.namespace("shop")
    await world.syndesis(namespace)
    for number in range(40):
        await world.space(namespace, f"space-{number}")
    flags = ["--kubeconfig", str(world.control_plane.kubeconfig("operator")), "--enable-new", "--workers", "8"]
    process = operator(*flags, "--probe-port", "0", "--metrics-port", "0")

    async def begun() -> Any:
        return await world.items("Connection", namespace)

    await world.eventually("the first are made", begun, every=0.01)
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.communicate, timeout=40)
    assert process.returncode == 0
    begun_pairs = {i["metadata"]["name"] for i in await world.items("Integration", namespace)}
    finished = {c["metadata"]["name"] for c in await world.items("Connection", namespace)}
    assert begun_pairs == finished, "no pair was left half-way"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("workers: many\n", ":1: workers must be a whole number (got many)"),
        (
            "log_level: info\npairing_rules: [same-namespace, by-magic]\n",
            ":2: pairing_rules: there is no rule 'by-magic'",
        ),
        ("wrokers: 3\n", ":1: wrokers: no such setting; did you mean workers?"),
        ("log_level: [\n", ": not YAML"),
    ],
)
def test_wrong_setting_ends_the_start_with_one_line(tmp_path: Path, setting: str, said: str) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(setting)
    process = operator("--config", str(file))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert said in errors
    assert str(file) in errors
    assert len(errors.splitlines()) == 1


def test_wrong_environment_variable_is_named() -> None:
    process = operator(INTEGRATION_OPERATOR_WORKERS="0")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "INTEGRATION_OPERATOR_WORKERS" in errors


def test_broken_template_ends_the_start_with_file_and_line(tmp_path: Path) -> None:
    shipped = (shipped_directory("templates") / "connection.yaml.j2").read_text()
    broken = shipped.replace("{{ transport.uri | tojson }}", "{{ transport.url | tojson }}")
    (tmp_path / "connection.yaml.j2").write_text(broken)
    line = next(n for n, text in enumerate(broken.splitlines(), 1) if "transport.url" in text)
    process = operator("--templates", str(tmp_path))
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert f"{tmp_path}/connection.yaml.j2:{line}: " in errors
    assert "url" in errors
    assert len(errors.splitlines()) == 1


def test_no_way_to_a_cluster_is_said() -> None:
    process = operator()
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "No cluster: tried --kubeconfig, $KUBECONFIG, ~/.kube/config and the pod's service account." in errors
    process = operator("--kubeconfig", "/nowhere/config")
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 4
    assert "/nowhere/config" in errors


async def test_without_permission_it_says_what_is_missing_and_goes_on(world: World, tmp_path: Path) -> None:
    text = world.control_plane.kubeconfig("operator").read_text()
    refused = tmp_path / "refused"
    refused.write_text(re.sub(r"token: .*", "token: wrong", text))
    port = free_port()
    process = operator(
        "--kubeconfig", str(refused), "--probe-port", "0", "--metrics-port", str(port), "--bind-address", "127.0.0.1"
    )
    try:

        async def said_why() -> Any:
            status, said = await answer(port, "/readyz")
            assert status == 503
            return said if "Unauthorized" in said else None

        said = await world.eventually("it says what is missing", said_why)
        assert process.poll() is None, "it keeps trying"
        assert "wrong" not in said
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.communicate, timeout=40)


async def test_defect_of_the_engine_ends_the_process(world: World) -> None:
    """A part of the engine that ends by itself leaves no process behind that looks alive and does nothing."""
    kubeconfig = str(world.control_plane.kubeconfig("operator"))
    broken = (
        "import sys\n"
        "from integration_operator.cache import Cache\n"
        "async def run(self): raise RuntimeError('a defect')\n"
        "Cache.run = run\n"
        "from integration_operator.cli import app\n"
        "app(sys.argv[1:])\n"
    )
    arguments = ["run", "--kubeconfig", kubeconfig, "--probe-port", "0", "--metrics-port", "0"]
    process = subprocess.Popen([sys.executable, "-c", broken, *arguments], stderr=subprocess.PIPE, text=True)
    _, errors = await asyncio.to_thread(process.communicate, timeout=40)
    assert process.returncode == 70
    assert "a defect" in errors
