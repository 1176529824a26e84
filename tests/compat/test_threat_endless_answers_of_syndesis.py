"""A tenant's Syndesis server decides neither the operator's memory nor its time, whatever it answers.

Each server here answers as no Syndesis does. The failure is typed and comes within seconds, the memory that it takes is
a few times one answer's, and a server without end is left alone as one that is down is.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from integration_operator.backends.limits import ANSWER_BYTES, ERROR_BYTES, LIST_BYTES
from integration_operator.backends.syndesis.client import MAX_MATCHES, MAX_PAGES, PAGES
from integration_operator.backends.syndesis.connection_services import ConnectionServices
from integration_operator.backends.syndesis.errors import SyndesisUnavailable
from integration_operator.domain.policies.ownership import ConnectionEvidence
from integration_operator.runtime.errors import Deferred, Failure
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.deliveries import Wish, delivering

WISH = Wish()
MIB = 1024 * 1024
Send = Callable[[bytes], Awaitable[None]]
Answer = Callable[[str, Send], Awaitable[None]]
"""Answers a request for a path, piece by piece."""

JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PIECE = 64 * 1024
BOMB = gzip.compress(b'{"items":[' + b" " * 64 * MIB)
VALUES = b'{"items":[' + b"{}," * 600_000 + b"{}]}"
WIDE_HEAD = JSON_HEAD + b"X-Wide: " + b"x" * 10 * MIB + b"\r\n\r\n{}"
MANY_HEADS = JSON_HEAD + b"".join(b"X-%d: x\r\n" % n for n in range(500_000)) + b"\r\n{}"

EVIDENCE = ConnectionEvidence("y", "x")


@asynccontextmanager
async def hostile(answer: Answer) -> AsyncIterator[tuple[ConnectionServices, list[str]]]:
    """Run a server that answers so; yield the servers' registry and the requested paths."""
    asked: list[str] = []
    open_connections: set[asyncio.Task[Any] | None] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.add(asyncio.current_task())

        async def send(data: bytes) -> None:
            for begin in range(0, len(data), PIECE):
                writer.write(data[begin : begin + PIECE])
                await writer.drain()

        try:
            while request := await reader.readline():
                path = request.split()[1].decode()
                asked.append(path)
                while (await reader.readline()).strip():
                    pass
                await answer(path, send)
        except (OSError, asyncio.CancelledError):  # the client has had enough, or the test
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    servers = ConnectionServices(lambda namespace: f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    try:
        yield servers, asked
    finally:
        await servers.close()
        listening.close()
        for task in open_connections:
            if task is not None:
                task.cancel()


async def chunked(send: Send, pieces: AsyncIterator[bytes], head: bytes = JSON_HEAD) -> None:
    await send(head + b"Transfer-Encoding: chunked\r\n\r\n")
    async for piece in pieces:
        await send(b"%x\r\n%b\r\n" % (len(piece), piece))
    await send(b"0\r\n\r\n")


async def whole(send: Send, data: bytes, head: bytes = JSON_HEAD) -> None:
    await send(head + b"Content-Length: %d\r\n\r\n%b" % (len(data), data))


async def for_ever(piece: bytes, begin: bytes = b"") -> AsyncIterator[bytes]:
    yield begin
    while True:
        yield piece


def endless_list(path: str, send: Send) -> Awaitable[None]:
    return chunked(send, for_ever(b'{"id":"x","name":"y"},' * 1000, b'{"items":['))


def announced(path: str, send: Send) -> Awaitable[None]:
    return send(JSON_HEAD + b"Content-Length: 200000000\r\n\r\n{")


def packed(path: str, send: Send) -> Awaitable[None]:
    return whole(send, BOMB, JSON_HEAD + b"Content-Encoding: gzip\r\n")


def deep(path: str, send: Send) -> Awaitable[None]:
    return whole(send, b'{"items":' + b"[" * 500 + b"]" * 500 + b"}")


def many_values(path: str, send: Send) -> Awaitable[None]:
    return whole(send, VALUES)


def wide_head(path: str, send: Send) -> Awaitable[None]:
    return send(WIDE_HEAD)


def many_heads(path: str, send: Send) -> Awaitable[None]:
    return send(MANY_HEADS)


def elsewhere(path: str, send: Send) -> Awaitable[None]:
    return send(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")


def endless_refusal(path: str, send: Send) -> Awaitable[None]:
    return chunked(send, for_ever(b"x" * 65536), b"HTTP/1.1 503 Unavailable\r\n")


@pytest.mark.parametrize(
    "answer",
    [endless_list, announced, packed, deep, many_values, wide_head, many_heads, elsewhere, endless_refusal],
)
@pytest.mark.parametrize("asked_for", ["definition", "list"])
async def test_one_answer_is_bounded(answer: Answer, asked_for: str) -> None:
    async with hostile(answer) as (servers, asked):
        server = servers.of("fuse")
        tracemalloc.start()
        try:
            async with asyncio.timeout(30):
                with pytest.raises((SyndesisUnavailable, Failure)) as caught:
                    await (server.secret_properties("amqp") if asked_for == "definition" else server.delete(EVIDENCE))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert caught.value.reason in ("SyndesisMalformed", "SyndesisUnavailable", "SyndesisFailed")
        assert len(caught.value.message) < 300
        assert peak < 8 * ANSWER_BYTES
        assert not any("elsewhere" in path for path in asked)


async def test_an_answer_that_is_large_is_taken_up_to_the_limit() -> None:
    definition = {"properties": {"password": {"secret": True}}, "padding": "x" * (ANSWER_BYTES - 1000)}

    def fits(path: str, send: Send) -> Awaitable[None]:
        return whole(send, json.dumps(definition).encode())

    async with hostile(fits) as (servers, _):
        assert await servers.of("fuse").secret_properties("amqp") == {"password"}


def page(path: str, item: Callable[[int], dict[str, Any]]) -> bytes:
    """Return a page of a list that never ends, of the requested size."""
    query = dict(part.split("=") for part in path.partition("?")[2].split("&") if part.count("=") == 1)
    size, number = int(query["per_page"]), int(query["page"])
    return json.dumps({"items": [item(n) for n in range((number - 1) * size, number * size)]}).encode()


async def test_a_list_without_a_last_page_ends_and_the_server_is_left_alone() -> None:
    def next_page(path: str, send: Send) -> Awaitable[None]:
        return whole(send, page(path, lambda n: {"id": f"c-{n}", "name": f"c-{n}"}))

    async with hostile(next_page) as (servers, asked), asyncio.timeout(30):
        with pytest.raises(SyndesisUnavailable, match="no end"):
            await servers.of("fuse").delete(EVIDENCE)
        assert len(asked) == MAX_PAGES
        with pytest.raises(Deferred, match=r"no end; retried every 3 s\. Is Syndesis running"):
            await servers.of("fuse").delete(EVIDENCE)
        assert len(asked) == MAX_PAGES


async def test_all_pages_together_are_bounded_and_are_not_held() -> None:
    def next_page(path: str, send: Send) -> Awaitable[None]:
        return whole(send, page(path, lambda n: {"id": f"c-{n}", "name": f"c-{n}", "description": "x" * 10_000}))

    async with hostile(next_page) as (servers, asked), asyncio.timeout(60):
        tracemalloc.start()
        try:
            with pytest.raises(SyndesisUnavailable, match=f"more than {LIST_BYTES} bytes"):
                await servers.of("fuse").delete(EVIDENCE)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(asked) * PAGES[0] * 10_000 < LIST_BYTES + 2 * ANSWER_BYTES
        assert peak < 8 * ANSWER_BYTES


async def test_a_list_that_is_all_ours_is_not_held_either() -> None:
    def next_page(path: str, send: Send) -> Awaitable[None]:
        ours = {"managed-by": "integration-operator", "integration": "y"}
        return whole(send, page(path, lambda n: {"id": f"c-{n}", "name": "c", "metadata": ours}))

    async with hostile(next_page) as (servers, asked):
        with pytest.raises(SyndesisUnavailable, match=f"over {MAX_MATCHES} connections"):
            await servers.of("fuse").delete(EVIDENCE)
        assert len(asked) == 1


async def test_more_than_was_asked_for_is_no_page() -> None:
    def more(path: str, send: Send) -> Awaitable[None]:
        return whole(send, json.dumps({"items": [{"id": f"c-{n}"} for n in range(PAGES[0] + 1)]}).encode())

    async with hostile(more) as (servers, _):
        with pytest.raises(SyndesisUnavailable, match="the list of connections has more items than were requested"):
            await servers.of("fuse").delete(EVIDENCE)


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones() -> None:
    """Connections of a connector that was made from an OpenAPI document hold that document, each of them."""
    async with SyndesisServer.running() as server, delivering(server) as deliverer:
        for n in range(12):
            large = {"specification": "x" * (ANSWER_BYTES // 8 if n else ANSWER_BYTES + 1)}
            server.put_stored(
                {"id": f"a-{n:02}", "name": f"A {n}", "connectorId": "api", "configuredProperties": large}
            )
        await deliverer.deliver(WISH)
        assert await deliverer.withdraw(WISH) == ""
        assert WISH.id not in server.stored()
        sizes = [r.path.partition("per_page=")[2].partition("&")[0] for r in server.requests if "per_page" in r.path]
        assert set(sizes) == {str(size) for size in PAGES}


async def test_a_refusal_is_read_as_far_as_refusals_go() -> None:
    def refusal(path: str, send: Send) -> Awaitable[None]:
        return whole(send, b" " * (ERROR_BYTES + 1), b"HTTP/1.1 403 Forbidden\r\n")

    async with hostile(refusal) as (servers, _):
        with pytest.raises(Failure) as caught:
            await servers.of("fuse").secret_properties("amqp")
        assert caught.value.reason == "SyndesisAccessRefused"
