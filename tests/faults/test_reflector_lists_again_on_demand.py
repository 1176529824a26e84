"""A new leader asks for a LIST: the store then has everything that was written before it asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from integration_operator.runtime.reflector import Reflector, State
from integration_operator.runtime.store import Store
from tests.support.thing_server import KIND, ThingServer, names_in, running, status, thing, until


async def test_a_watch_that_lags_behind(server: ThingServer, tmp_path: Path) -> None:
    async with running(server, tmp_path) as reflector:
        await until(lambda: len(server.watched) == 1)
        server.objects, server.version = [thing("b", 1), thing("c", 7)], 7
        states = reflector.state
        await reflector.refresh()
        assert names_in(reflector) == {"b", "c"}
        assert states is reflector.state is State.SYNCED
        await until(lambda: server.watched == ["1", "7"])


async def test_a_list_that_was_sent_before_does_not_count(server: ThingServer, tmp_path: Path) -> None:
    async with running(server, tmp_path) as reflector:
        await until(lambda: len(server.watched) == 1)
        server.answers = [status(410), status(410)]
        server.listing.clear()
        first = asyncio.create_task(reflector.refresh())
        await until(lambda: server.lists == 2)
        second = asyncio.create_task(reflector.refresh())
        await until(lambda: server.lists == 3)
        server.objects = [thing("late", 9)]
        server.listing.set()
        await asyncio.wait_for(asyncio.gather(first, second), 5)
        assert names_in(reflector) == {"late"}


async def test_two_at_once_return_both(server: ThingServer, tmp_path: Path) -> None:
    async with running(server, tmp_path) as reflector:
        await until(lambda: len(server.watched) == 1)
        server.objects = [thing("late", 9)]
        await asyncio.wait_for(asyncio.gather(reflector.refresh(), reflector.refresh()), 5)
        assert names_in(reflector) == {"late"}


async def test_an_object_that_did_not_change_is_kept(server: ThingServer, tmp_path: Path) -> None:
    """A LIST of 10,000 objects needs no memory for another 10,000."""
    async with running(server, tmp_path) as reflector:
        await until(lambda: len(server.watched) == 1)
        before = {document["metadata"]["name"]: document for document in reflector.store}
        server.objects = [thing("a", 1), thing("b", 5, changed=True)]
        await reflector.refresh()
        after = {document["metadata"]["name"]: document for document in reflector.store}
        assert after["a"] is before["a"]
        assert after["b"]["changed"]


async def test_a_kind_that_fails_is_said_to_fail(server: ThingServer, tmp_path: Path) -> None:
    """Nobody waits for it: nothing is decided on a kind that is out of sync, and it is listed when it is back."""
    async with running(server, tmp_path) as reflector:
        await until(lambda: len(server.watched) == 1)
        server.answers = [web.Response(status=500)]
        server.objects = [thing("c", 7)]
        await asyncio.wait_for(reflector.refresh(), 5)
        assert reflector.state is State.FAILING
        assert names_in(reflector) == {"a", "b"}
        await until(lambda: reflector.state is State.SYNCED)
        assert names_in(reflector) == {"c"}


async def test_a_kind_that_is_absent_is_looked_for(server: ThingServer, tmp_path: Path) -> None:
    server.served = False
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.ABSENT)
        await asyncio.wait_for(reflector.refresh(), 5)
        assert reflector.state is State.ABSENT
        server.served = True
        await asyncio.wait_for(reflector.refresh(), 5)
        assert names_in(reflector) == {"a", "b"}


async def test_a_kind_that_is_not_read_is_not_waited_for(server: ThingServer, tmp_path: Path) -> None:
    async with running(server, tmp_path) as reflector:
        idle: Reflector[object] = Reflector(reflector._client, KIND, Store(lambda d: d))
        await asyncio.wait_for(idle.refresh(), 1)
        assert idle.state is State.STARTING
