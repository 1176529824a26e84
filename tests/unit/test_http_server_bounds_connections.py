"""The server for ports that any pod may reach: a connection takes no longer than it may, and there are not many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from aiohttp import web

from integration_operator.runtime.http_server import MAX_CONNECTIONS, BoundedServer
from integration_operator_sandbox.localhost.machine import free_port

HOST = "127.0.0.1"
MORE_THAN_BUFFERS_HOLD = 64 * 1024 * 1024
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


@asynccontextmanager
async def listening(size: int, lifetime: float | None) -> AsyncIterator[tuple[BoundedServer, int]]:
    """Run a server that answers with so many bytes; yield it and its port."""

    async def answer(_: web.BaseRequest) -> web.Response:
        return web.Response(body=bytes(size))

    server, port = BoundedServer(answer, lifetime=lifetime), free_port()
    task = asyncio.create_task(server.listen(HOST, port))
    await asyncio.sleep(0.1)
    yield server, port
    task.cancel()
    await asyncio.wait([task])


async def connections_end(server: BoundedServer, within: float) -> bool:
    """Check that all connections end in this time."""
    for _ in range(int(within / 0.05)):
        if not server.connections:
            return True
        await asyncio.sleep(0.05)
    return False


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async with listening(MORE_THAN_BUFFERS_HOLD, lifetime=0.5) as (server, port):
        _, writer = await asyncio.open_connection(HOST, port, limit=1)
        writer.write(REQUEST)
        await asyncio.sleep(0.2)
        assert server.connections, "it waits for the client"
        assert await connections_end(server, within=2)
        writer.transport.abort()


async def test_clients_may_keep_a_connection_without_a_lifetime() -> None:
    async with listening(10, lifetime=None) as (server, port):
        reader, writer = await asyncio.open_connection(HOST, port)
        for _ in range(2):
            writer.write(REQUEST)
            assert await asyncio.wait_for(reader.readuntil(bytes(10)), 2)
            await asyncio.sleep(0.7)
        assert len(server.connections) == 1
        writer.transport.abort()


async def test_connections_above_the_bound_are_closed() -> None:
    async with listening(10, lifetime=None) as (server, port):
        connect = partial(asyncio.open_connection, HOST, port)
        held = [await connect() for _ in range(MAX_CONNECTIONS)]
        await asyncio.sleep(0.1)
        reader, writer = await connect()
        assert await asyncio.wait_for(reader.read(), 2) == b"", "it is closed without an answer"
        assert len(server.connections) == MAX_CONNECTIONS
        for _, open_writer in [*held, (reader, writer)]:
            open_writer.transport.abort()
