"""Hostile servers of a tenant: each gives one answer to every request."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

MIB = 1024 * 1024
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def never(writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""
    await asyncio.sleep(3600)


async def without_end(writer: asyncio.StreamWriter) -> None:
    """Send one JSON text that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b'{"items": [')
    while True:
        writer.write(b'{"id": "' + b"x" * 65536 + b'"},')
        await writer.drain()


async def packed(writer: asyncio.StreamWriter) -> None:
    """Send 600 kB that unpack to 600 MB."""
    body = BOMB
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}"
    writer.write(f"{head}\r\n\r\n".encode() + body)
    await writer.drain()


async def slowly(writer: asyncio.StreamWriter) -> None:
    """Send a byte each second."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(1)


BOMB = gzip.compress(b"[" + b" " * (600 * MIB))


@asynccontextmanager
async def hostile(answer: Answer) -> AsyncIterator[str]:
    """Run a server that answers everything so; yield its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readline():
                while (await reader.readline()).strip():
                    pass
                await answer(writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
