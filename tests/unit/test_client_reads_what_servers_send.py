"""The client of the API server: what it sends, what it makes of each answer, and that it leaves nothing open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from integration_operator.runtime import responses
from integration_operator.runtime.client import MERGE, Client
from integration_operator.runtime.errors import Forbidden, Gone, Invalid, NotFound, TooLarge, Unavailable
from tests.support.kubeconfigs import write_kubeconfig

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[int]:
    """Run a server that answers every request so; yield its port."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def client_of(port: int, directory: Path, **limits: Any) -> Client:
    kubeconfig = write_kubeconfig(directory, port)
    return Client.from_kubeconfig(kubeconfig, **limits)


@asynccontextmanager
async def connected(handler: Handler, directory: Path, **limits: Any) -> AsyncIterator[Client]:
    async with serving(handler) as port, client_of(port, directory, **limits) as client:
        yield client


async def says_ok(request: web.Request) -> web.Response:
    return web.json_response({"ok": True})


def refusing(status: int, reason: str) -> Handler:
    async def refuse(request: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "code": status, "reason": reason, "message": "no"}, status=status)

    return refuse


def streaming(*parts: bytes) -> Handler:
    """Answer with these parts of a stream, and end it."""

    async def stream(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
            await asyncio.sleep(0.01)
        return response

    return stream


async def events(client: Client, **more: Any) -> list[Any]:
    return [event async for event in client.watch("/x", {"resourceVersion": "7"}, **more)]


async def test_what_is_sent(tmp_path: Path) -> None:
    requests: list[tuple[str, str, Any, str | None]] = []

    async def note(request: web.Request) -> web.Response:
        body = await request.read()
        sent = json.loads(body) if body else None
        requests.append((request.method, request.path_qs, sent, request.headers.get("Content-Type")))
        assert request.headers["Authorization"] == "Bearer t"
        assert request.headers["User-Agent"] == "of-the-operator"
        return web.json_response({"ok": True})

    async with connected(note, tmp_path, user_agent="of-the-operator") as client:
        assert await client.get("/x", {"limit": "1"}) == {"ok": True}
        await client.post("/x", {"a": 1})
        await client.patch("/x", {"a": 2})
        await client.apply("/x", {"a": 3}, manager="me", force=False)
        await client.delete("/x", {"kind": "DeleteOptions"})
    assert requests[1:] == [
        ("POST", "/x", {"a": 1}, "application/json"),
        ("PATCH", "/x", {"a": 2}, MERGE),
        ("PATCH", "/x?fieldManager=me&force=false", {"a": 3}, "application/apply-patch+yaml"),
        ("DELETE", "/x", {"kind": "DeleteOptions"}, "application/json"),
    ]
    assert requests[0][:3] == ("GET", "/x?limit=1", None)


async def test_a_path_that_is_no_path_of_an_object_is_not_sent(tmp_path: Path) -> None:
    async with connected(says_ok, tmp_path) as client:
        with pytest.raises(Invalid) as refused:
            await client.get("/x/../y")
    assert (refused.value.reason, refused.value.status) == ("PathUnusable", 0)


async def test_each_request_is_observed_with_its_status(tmp_path: Path) -> None:
    observed: list[tuple[str, str, int]] = []

    def observe(verb: str, server: str, path: str, status: int, seconds: float) -> None:
        assert 0 <= seconds < 10
        assert server == f"http://127.0.0.1:{port}"
        observed.append((verb, path, status))

    async with serving(refusing(404, "NotFound")) as port, client_of(port, tmp_path, observe=observe) as client:
        with pytest.raises(NotFound):
            await client.get("/there")
    async with client_of(port, tmp_path, observe=observe) as client:
        with pytest.raises(Unavailable) as failed:
            await client.get("/gone")
    assert observed == [("GET", "/there", 404), ("GET", "/gone", 0)]
    assert failed.value.status == 0
    assert failed.value.message == f"GET http://127.0.0.1:{port}/gone: connection refused"


async def test_a_client_that_is_closed_sends_nothing(tmp_path: Path) -> None:
    async with connected(says_ok, tmp_path) as client:
        await client.get("/x")
    for use in (lambda: client.get("/x"), lambda: events(client)):
        with pytest.raises(Unavailable, match="the client is closed"):
            await use()
    with pytest.raises(Unavailable, match="the client is closed"):
        client.session()
    assert client.server == "(not connected)"


async def test_the_session_of_the_host_has_the_credentials_and_is_closed_alone(tmp_path: Path) -> None:
    async def check(request: web.Request) -> web.Response:
        return web.json_response({"token": request.headers.get("Authorization")})

    async with connected(check, tmp_path) as client:
        async with client.session() as session, session.get(f"{client.server}/x") as response:
            assert await response.json() == {"token": "Bearer t"}
        assert await client.get("/x") == {"token": "Bearer t"}


async def test_requests_beyond_the_burst_keep_to_the_rate(tmp_path: Path) -> None:
    async with connected(says_ok, tmp_path, rate=50.0, burst=2) as client:
        began = asyncio.get_running_loop().time()
        for _ in range(7):
            await client.get("/x")
        assert asyncio.get_running_loop().time() - began >= 0.09


async def test_events_in_any_pieces(tmp_path: Path) -> None:
    parts = (b'{"type":"ADDED"}\n{"type":"MOD', b'IFIED"}\n\n', b'{"type":"DELETED"}\n  ')
    async with connected(streaming(*parts), tmp_path) as client:
        assert [event["type"] for event in await events(client)] == ["ADDED", "MODIFIED", "DELETED"]


async def test_a_last_event_needs_no_end_of_line(tmp_path: Path) -> None:
    async with connected(streaming(b'{"type":"ADDED"}\n{"type":"DELETED"}'), tmp_path) as client:
        assert [event["type"] for event in await events(client)] == ["ADDED", "DELETED"]


async def test_a_stream_that_ends_in_the_middle_of_an_event(tmp_path: Path) -> None:
    async with connected(streaming(b'{"type":"ADDED"}\n{"type":"DEL'), tmp_path) as client:
        with pytest.raises(Unavailable, match="in the middle of an event"):
            await events(client)


@pytest.mark.parametrize(("status", "kind"), [(403, Forbidden), (410, Gone), (500, Unavailable)])
async def test_a_watch_that_is_refused(status: int, kind: type[Exception], tmp_path: Path) -> None:
    opened: list[bool] = []
    async with connected(refusing(status, "Refused"), tmp_path) as client:
        with pytest.raises(kind):
            await events(client, opened=lambda: opened.append(True))
    assert opened == []


@pytest.mark.parametrize(("status", "kind"), [(200, TooLarge), (500, Unavailable)])
async def test_an_answer_without_a_known_length_is_read_up_to_a_limit(
    status: int, kind: type[Exception], tmp_path: Path
) -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with connected(endless, tmp_path, page_bytes=100_000) as client:
        with pytest.raises(kind, match="more than"):
            await client.get("/x")


@pytest.mark.parametrize(
    ("headers", "body", "why"),
    [({"Content-Encoding": "gzip"}, b"packed", "compressed"), ({}, b"x" * 101, "more than 100 bytes")],
)
async def test_the_connection_of_an_answer_that_is_refused_is_closed(
    headers: dict[str, str], body: bytes, why: str
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    async with serving(answer) as port, aiohttp.ClientSession(auto_decompress=False) as session:
        response = await session.get(f"http://127.0.0.1:{port}/x")
        with pytest.raises(responses.Unreadable, match=why):
            await responses.body(response, 100)
        assert response.closed


async def test_an_answer_of_exactly_the_limit_is_read() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * 100)

    async with serving(answer) as port, aiohttp.ClientSession(auto_decompress=False) as session:
        response = await session.get(f"http://127.0.0.1:{port}/x")
        assert await responses.body(response, 100) == b"x" * 100
