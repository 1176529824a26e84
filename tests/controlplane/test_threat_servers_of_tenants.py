"""Threat: a tenant's Syndesis server hangs, trickles or floods. Nobody else waits for it, and memory stays flat."""

from __future__ import annotations

import asyncio
import gzip
import resource
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psutil
import pytest
from world import World

from integration_operator.api import names
from integration_operator.domain import naming
from integration_operator.domain.pair import Pair, Ref

MIB = 1024 * 1024
MOST = 250 * MIB
PAIRS = 60
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


async def never(writer: asyncio.StreamWriter) -> None:
    """Take the request and say nothing."""
    await asyncio.sleep(3600)


async def without_end(writer: asyncio.StreamWriter) -> None:
    """One JSON text that never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" + b'{"items": [')
    while True:
        writer.write(b'{"id": "' + b"x" * 65536 + b'"},')
        await writer.drain()


async def packed(writer: asyncio.StreamWriter) -> None:
    """600 kB that unpack to 600 MB."""
    body = BOMB
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}"
    writer.write(f"{head}\r\n\r\n".encode() + body)
    await writer.drain()


async def slowly(writer: asyncio.StreamWriter) -> None:
    """A byte in a second."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(1)


BOMB = gzip.compress(b"[" + b" " * (600 * MIB))


@asynccontextmanager
async def hostile(answer: Answer) -> AsyncIterator[str]:
    """A server whose every answer is this one; its URL."""

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


def resident() -> int:
    return int(psutil.Process().memory_info().rss)


@asynccontextmanager
async def memory_stays_flat(world: World) -> AsyncIterator[None]:
    """The peak of this process, in which the operator runs, stays within what one operator may take more."""
    peak, over = resident(), asyncio.Event()
    before = peak

    async def look() -> None:
        nonlocal peak
        while not over.is_set():
            peak = max(peak, resident())
            await asyncio.sleep(0.02)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        over.set()
        await looking
    assert peak - before < 100 * MIB, f"{(peak - before) / MIB:.0f} MiB more than before"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0


@pytest.mark.parametrize("answer", [never, without_end, packed, slowly], ids=lambda a: a.__name__)
async def test_a_bystander_does_not_wait(world: World, answer: Answer) -> None:
    shop = await world.namespace("shop")
    aside = await world.namespace("aside")
    bystander = Pair(await world.space(aside), await world.syndesis(aside))
    mallory = await world.namespace("mallory")
    no_connections = {"annotations": {names.CONNECTION_DELIVERY: "none"}}
    syndesis = await world.syndesis(mallory, **no_connections)
    pairs = [Pair(await world.space(shop, f"space-{n}", allowed="mallory-*"), syndesis) for n in range(PAIRS)]
    async with hostile(answer) as url, world.operator(syndesis_url=url) as operator:
        await world.offered(bystander)
        for pair in pairs:
            await world.offered(pair)
        async with memory_stays_flat(world):
            for pair in pairs:
                await world.enable(pair)
            for enabled in (True, False, True):
                began = time.monotonic()
                await world.enable(bystander, enabled=enabled)
                await (world.delivered(bystander) if enabled else world.taken_down(bystander))
                assert time.monotonic() - began < 3, "the bystander's toggle"
                await asyncio.sleep(1)

            withdrawn = pairs[7]
            await world.eventually("it has a login", lambda: world.get("MessagingUser", naming.user_ref(withdrawn)))
            began = time.monotonic()
            nobody = {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: None}}}
            await world.patch("AddressSpace", withdrawn.space, nobody)

            async def gone() -> bool:
                return await world.get("MessagingUser", naming.user_ref(withdrawn)) is None

            await world.eventually("the withdrawn login is gone", gone, within=10)
            assert time.monotonic() - began < 10
        assert operator.controller.queue.oldest < 3, "no worker hangs"
        for pair in pairs:
            await world.patch(
                "Integration", Ref(mallory, naming.integration_name(pair)), {"metadata": {"finalizers": None}}
            )
