"""Threat: a tenant's objects, another site in the administrator's browser, or any pod, against the status page."""

from __future__ import annotations

import asyncio
import socket
import time
from contextlib import suppress

import aiohttp
import psutil
import pytest

from integration_operator.manager import OPERATOR_LEASE
from integration_operator.runtime.http_server import MAX_CONNECTIONS
from tests.support.processes import child_with
from tests.support.replicas import LEASES, Replicas
from tests.support.status_pages import HOST, fetch, markup_of, rows, serving
from tests.support.world import World

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><a href=javascript:alert(3)>"
    + "\u202e"
    + "&lt;{{7*7}}</td>"
)
ELEMENTS = {
    *("html", "head", "meta", "title", "link", "style", "body", "header", "main", "h1", "h2", "p", "strong", "code"),
    *("ul", "li", "a", "span", "form", "label", "input", "select", "option", "button", "div", "table", "caption"),
    *("thead", "tbody", "tr", "th", "td", "bdi", "nav"),
}
"""The elements of the template. No script, image, frame or object is one."""
RIGHT_TO_LEFT, SHOWN = "\u202e", "\ufffd"
FLOOD = 500


async def test_what_a_tenant_writes_is_text(world: World, replicas: Replicas) -> None:
    """A tenant may write the status of its Integration. The page shows it, and no mark-up comes of it."""
    shop = await world.namespace("shop")
    hostile = {"type": "Stalled", "status": "True", "reason": "Forged", "message": HOSTILE}
    hostile["lastTransitionTime"] = "2026-01-01T00:00:00Z"
    reference = {"namespace": shop, "name": "orders"}
    spec = {"client": "syndesis", "enabled": True, "suspend": True, "addressSpaceRef": reference}
    await world.create("Integration", shop, "forged", spec=spec, status={"phase": "", "conditions": [hostile]})
    lease = {"holderIdentity": f"<b>{HOSTILE}", "leaseDurationSeconds": 600, "renewTime": "2026-01-01T00:00:00.000000Z"}
    await world.kubectl.post(LEASES, {"metadata": {"name": OPERATOR_LEASE}, "spec": lease})
    port = await serving(world, replicas)  # it stands by, and does not replace the forged status
    page = await fetch(port)
    assert page.status == 200
    (row,) = rows(page.text)
    assert (row["State"], row["Reason and message"]) == ("stalled", f"Forged: {HOSTILE.replace(RIGHT_TO_LEFT, SHOWN)}")
    assert "The leader is <b>" in markup_of(page.text).text, "of any text"
    markup = markup_of(page.text)
    assert {tag for tag, _ in markup.elements} <= ELEMENTS
    for tag, attributes in markup.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert not (attributes.get("href") or "").lower().startswith("javascript"), attributes


@pytest.mark.parametrize("path", ["/status", "/status.json", "/nothing", "/status?state=none"])
async def test_headers_keep_a_browser_from_more(world: World, replicas: Replicas, path: str) -> None:
    port = await serving(world, replicas)
    headers = (await fetch(port, path)).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "script-src" not in policy
    assert "unsafe-inline" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


async def test_a_name_that_leads_here_is_refused(world: World, replicas: Replicas) -> None:
    """DNS rebinding: a site's own name leads to the forwarded port, so that its scripts could read the page."""
    port = await serving(world, replicas)
    names = {
        "localhost": 200,
        f"localhost:{port}": 200,
        "[::1]:8081": 200,
        "integration-operator.integration-operator.svc:8081": 421,
        "evil.example": 421,
        f"evil.example:{port}": 421,
        "127.0.0.1.evil.example": 421,
        "localhost.evil.example": 421,
        "[evil.example]": 421,
        "": 421,
    }
    for name, status in names.items():
        assert (await fetch(port, "/status.json", Host=name)).status == status, name


@pytest.mark.parametrize("header", ["X-Forwarded-For", "x-forwarded-proto", "Forwarded", "Via", "X-Request-Id"])
async def test_a_proxy_in_the_pod_gets_no_page(world: World, replicas: Replicas, header: str) -> None:
    """The sidecar of a service mesh brings what any pod sends, from within the pod."""
    port = await serving(world, replicas)
    assert (await fetch(port, "/status", **{header: "x"})).status == 403
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(local_addr=("127.0.0.6", 0))) as session,
        session.get(f"http://{HOST}:{port}/status") as response,
    ):
        assert response.status == 403


async def test_a_pod_gets_no_page(world: World, replicas: Replicas) -> None:
    """Without authentication only a forwarded port leads to it, which the API server has to allow."""
    addresses = [a.address for found in psutil.net_if_addrs().values() for a in found if a.family is socket.AF_INET]
    others = [address for address in addresses if not address.startswith("127.")]
    assert others, "this machine has an address"
    port = await serving(world, replicas, "--bind-address", "0.0.0.0")
    for path, status in {"/status": 403, "/status.json": 403, "/metrics": 200, "/readyz": 200}.items():
        assert (await fetch(port, path, host=others[0])).status == status, path
        assert (await fetch(port, path)).status == 200, path


@pytest.mark.parametrize(
    "query",
    [
        "state=none",
        "state=ready&state=stalled",
        "reason=<script>",
        "namespace=../kube-system",
        f"namespace={'a' * 64}",
        "page=0",
        "page=-1",
        "page=1e9",
        "page=9999999",
        "other=1",
        f"namespace={'%00'}",
    ],
)
async def test_a_query_that_no_page_has_is_refused(world: World, replicas: Replicas, query: str) -> None:
    port = await serving(world, replicas)
    answer = await fetch(port, f"/status?{query}")
    assert answer.status == 400
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert "<" not in answer.text, "nothing of the query is repeated"


async def test_pages_are_made_at_a_bounded_rate(world: World, replicas: Replicas) -> None:
    """Whoever asks for more is told to wait; metrics and readiness go on."""
    port = await serving(world, replicas)
    statuses = [(await fetch(port, "/status.json")).status for _ in range(60)]
    assert set(statuses) == {200, 429}
    refused = await fetch(port, "/status")
    assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
    assert (await fetch(port, "/metrics")).status == (await fetch(port, "/readyz")).status == 200


async def test_clients_that_send_slowly(world: World, replicas: Replicas) -> None:
    """Memory and files stay bounded, their connections end, and then the page is there again."""
    port = await serving(world, replicas)
    process = child_with(str(port))
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(HOST, port)
            writers.append(writer)
            writer.write(b"GET /status HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 4000)

    before = process.num_fds()
    for _ in range(FLOOD // 50):
        await asyncio.gather(*(connect() for _ in range(50)))
    assert process.num_fds() - before <= MAX_CONNECTIONS + 5
    assert process.memory_info().rss < 250 * 1024 * 1024
    began = time.monotonic()

    async def answered() -> bool:
        with suppress(Exception):
            return (await fetch(port, "/status")).status == 200
        return False

    await world.eventually("the page is there again", answered, within=20)
    print(f"after {time.monotonic() - began:.1f} s")
    for writer in writers:
        writer.transport.abort()
