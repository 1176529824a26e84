"""Threat: a tenant's pod reads /metrics or the status page. With ``metrics_authentication`` the API server decides."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import yaml

from integration_operator_sandbox.deployment import grant_permissions
from integration_operator_sandbox.localhost.certificates import self_signed
from integration_operator_sandbox.localhost.machine import free_port, write_private
from tests.support.replicas import Replicas, Wire
from tests.support.status_pages import HOST, Answer, fetch, serving
from tests.support.tenants import RBAC, token_of
from tests.support.world import World

AUTHENTICATED = ("--metrics-authentication",)
PROTECTED = ("/metrics", "/status", "/status.json")
REVIEWS = ("tokenreviews", "subjectaccessreviews")


@pytest.fixture
async def permitted(world: World) -> AsyncIterator[World]:
    """Return a control plane on which the operator may ask for reviews."""
    await asyncio.to_thread(grant_permissions, world.control_plane.kubeconfig(), "authenticated-metrics")
    yield world
    for kind in ("clusterroles", "clusterrolebindings"):
        await world.kubectl.delete(f"{RBAC}/{kind}/integration-operator-authenticated-metrics")


async def get(port: int, path: str, token: str) -> Answer:
    return await fetch(port, path, tls=True, Authorization=f"Bearer {token}")


def reviews(world: World) -> Counter[str]:
    """Return how many reviews the operator asked for, by resource."""
    counted = Counter(entry["objectRef"]["resource"] for entry in world.audit.requests())
    return Counter({resource: counted[resource] for resource in REVIEWS})


async def test_the_api_server_decides(permitted: World, replicas: Replicas) -> None:
    port = await serving(permitted, replicas, *AUTHENTICATED, tls=True)
    prometheus = await token_of(permitted, "prometheus", ["/metrics"])
    administrator = await token_of(permitted, "administrator", PROTECTED)
    tenant = await token_of(permitted, "tenant")
    for path in PROTECTED:
        assert (await fetch(port, path, tls=True)).status == 401
        for header in ("Bearer", "Bearer ", "Basic !", "Digest x", f"Token {administrator}", "Bearer not.a.token"):
            answer = await fetch(port, path, tls=True, Authorization=header)
            assert (answer.status, answer.text) == (401, ""), header
        assert (await get(port, path, tenant)).status == 403
        assert (await get(port, path, administrator)).status == 200
        assert (await get(port, path, prometheus)).status == (200 if path == "/metrics" else 403)
    assert "integration_operator_leader" in (await get(port, "/metrics", prometheus)).text
    assert (await fetch(port, "/readyz", tls=True)).status == 200, "the kubelet has no token"
    assert (await get(port, "/nothing", tenant)).status == 404


async def test_a_browser_sends_the_token_as_a_password(permitted: World, replicas: Replicas) -> None:
    port = await serving(permitted, replicas, *AUTHENTICATED, tls=True)
    token = await token_of(permitted, "administrator", ["/status"])
    refused = await fetch(port, "/status", tls=True)
    assert refused.headers["WWW-Authenticate"].startswith("Basic ")
    assert (await fetch(port, "/metrics", tls=True)).headers["WWW-Authenticate"].startswith("Bearer ")
    password = base64.b64encode(f"me:{token}".encode()).decode()
    answer = await fetch(port, "/status", tls=True, Authorization=f"Basic {password}")
    assert answer.status == 200
    assert token not in answer.text


async def test_no_token_is_sent_in_plain_text(permitted: World, replicas: Replicas) -> None:
    port = await serving(permitted, replicas, *AUTHENTICATED, tls=True)
    with pytest.raises(aiohttp.ClientError):
        await fetch(port, "/metrics", tls=False, Authorization="Bearer x")


async def test_a_scrape_costs_reviews_once_a_minute(permitted: World, replicas: Replicas) -> None:
    port = await serving(permitted, replicas, *AUTHENTICATED, tls=True)
    token = await token_of(permitted, "prometheus", ["/metrics"])
    await permitted.audit.quiet()
    permitted.audit.mark()
    for _ in range(10):
        assert (await get(port, "/metrics", token)).status == 200
    assert reviews(permitted) == {"tokenreviews": 1, "subjectaccessreviews": 1}


async def test_strangers_cost_the_api_server_little(permitted: World, replicas: Replicas) -> None:
    """A token of its own in each request; whoever was allowed before goes on."""
    port = await serving(permitted, replicas, *AUTHENTICATED, tls=True)
    token = await token_of(permitted, "prometheus", ["/metrics"])
    assert (await get(port, "/metrics", token)).status == 200
    permitted.audit.mark()
    answers = [(await get(port, "/metrics", f"guess-{number}")).status for number in range(150)]
    assert set(answers) == {401, 503}
    assert reviews(permitted)["tokenreviews"] < 100
    assert (await get(port, "/metrics", token)).status == 200


async def test_without_an_answer_access_is_refused(permitted: World, replicas: Replicas, tmp_path: Path) -> None:
    """The API server is cut off: what it allowed a minute ago goes on until then, and all others are refused."""
    token, other = [await token_of(permitted, name, ["/metrics"]) for name in ("prometheus", "other")]
    kubeconfig = yaml.safe_load(permitted.control_plane.kubeconfig("operator").read_text())
    server = urlsplit(kubeconfig["clusters"][0]["cluster"]["server"])
    assert server.port is not None
    async with Wire(server.port).running() as wire:
        kubeconfig["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{wire.port}"
        file = tmp_path / "through-the-wire"
        file.write_text(yaml.safe_dump(kubeconfig))
        port = free_port()
        flags = ("--bind-address", HOST, "--metrics-port", str(port), *AUTHENTICATED)
        process = replicas.start("operator", *flags, kubeconfig=file, seconds=60)
        await process.synced()
        assert (await get(port, "/metrics", token)).status == 200
        wire.cut()
        assert (await get(port, "/metrics", token)).status == 200, "for a minute"
        assert (await get(port, "/metrics", other)).status == 503
        assert process.events("access not reviewed")
        wire.heal()


async def test_without_the_permission_access_is_refused(world: World, replicas: Replicas) -> None:
    """The operator may not ask: access is refused."""
    token = await token_of(world, "administrator", PROTECTED)
    port = await serving(world, replicas, *AUTHENTICATED, tls=True)
    assert (await get(port, "/metrics", token)).status == 503


async def test_a_standby_and_the_connection_controller_ask_too(permitted: World, replicas: Replicas) -> None:
    await asyncio.to_thread(
        grant_permissions, permitted.control_plane.kubeconfig(), "authenticated-metrics-connection-controller"
    )
    token = await token_of(permitted, "prometheus", ["/metrics"])
    await serving(permitted, replicas, *AUTHENTICATED, tls=True)
    standby = await serving(permitted, replicas, *AUTHENTICATED, user="operator-2", tls=True)
    assert (await get(standby, "/metrics", token)).status == 200
    port = free_port()
    flags = ("--bind-address", HOST, "--metrics-port", str(port), *AUTHENTICATED)
    replicas.start("connection-controller", *flags, command="connection-controller")

    async def scraped() -> bool:
        with suppress(OSError, aiohttp.ClientError):
            return (await get(port, "/metrics", token)).status == 200
        return False

    await permitted.eventually("the connection controller is scraped", scraped)
    assert (await fetch(port, "/metrics", tls=True)).status == 401
    assert (await get(port, "/status", token)).status == 404, "it has no status page"


async def test_a_given_certificate_is_served(permitted: World, replicas: Replicas, tmp_path: Path) -> None:
    given = self_signed()
    directory = tmp_path / "certificate"
    directory.mkdir()
    write_private(directory / "tls.crt", given.certificate)
    write_private(directory / "tls.key", given.key)
    port = await serving(permitted, replicas, "--metrics-certificate", str(directory), tls=True)
    trusting = ssl.create_default_context(cadata=given.certificate)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"https://localhost:{port}/status", ssl=trusting) as answer,
    ):
        assert answer.status == 200, "TLS needs no authentication"


async def test_no_token_is_in_the_log(permitted: World, replicas: Replicas) -> None:
    token = await token_of(permitted, "prometheus", ["/metrics"])
    port = free_port()
    flags = ("--bind-address", HOST, "--metrics-port", str(port), "--log-level", "debug", *AUTHENTICATED)
    process = replicas.start("operator", *flags)
    await process.synced()
    assert (await get(port, "/metrics", token)).status == 200
    assert (await get(port, "/status", "secret-guess")).status == 404
    assert (await get(port, "/metrics", "secret-guess")).status == 401
    assert token not in process.log
    assert "secret-guess" not in process.log
