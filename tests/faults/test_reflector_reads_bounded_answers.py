"""A reflector reads answers and events up to a size and a depth, and what is beyond it harms no other object."""

from __future__ import annotations

import asyncio
import gzip
import json
from pathlib import Path

from aiohttp import web

from integration_operator.runtime.reflector import State
from tests.support.thing_server import ThingServer, event, names_in, running, thing, until


async def test_event_larger_than_any_buffer(server: ThingServer, tmp_path: Path) -> None:
    async def large(response: web.StreamResponse) -> None:
        await response.write(event("ADDED", thing("c", 2, data="x" * 3_000_000)))

    server.watches = [large]
    async with running(server, tmp_path) as reflector:
        await until(lambda: "c" in names_in(reflector))
        assert server.lists == 1


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(server: ThingServer, tmp_path: Path) -> None:
    """Memory is bounded by the bytes of a page, whatever tenants keep in their objects."""
    server.objects = [thing(f"t{n}", 1, data="x" * 700_000) for n in range(40)]
    server.pages = 500
    async with running(server, tmp_path, page_bytes=2 * 1024 * 1024) as reflector:
        await until(lambda: reflector.state is State.SYNCED, within=30)
        assert len(names_in(reflector)) == 40
    assert server.limits[:5] == [500, 125, 31, 7, 1]
    assert set(server.limits[5:]) == {1}
    assert server.limits.count(500) == 1


async def test_an_object_that_is_larger_than_any_may_be_is_said(server: ThingServer, tmp_path: Path) -> None:
    server.objects = [thing("a", 1, data="x" * 3_000_000)]
    async with running(server, tmp_path, page_bytes=2 * 1024 * 1024) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert "more than 2097152 bytes" in reflector.problem
        assert server.limits[:5] == [500, 125, 31, 7, 1]


async def test_an_event_that_is_larger_than_any_may_be_ends_the_watch(server: ThingServer, tmp_path: Path) -> None:
    async def endless(response: web.StreamResponse) -> None:
        while True:
            await response.write(b"x" * 65536)

    server.objects = [thing("a", 1)]
    server.watches = [endless]
    async with running(server, tmp_path, page_bytes=2 * 1024 * 1024) as reflector:
        await until(lambda: server.lists >= 2)
        await until(lambda: reflector.state is State.SYNCED)
        assert names_in(reflector) == {"a"}


async def test_one_object_that_is_nested_deep_keeps_no_other_from_being_known(
    server: ThingServer, tmp_path: Path
) -> None:
    """The API server takes 10,000 levels in a field that a schema leaves open, such as a port of an AddressSpace."""
    deep = json.dumps(thing("deep", 2)).encode()[:-1] + b',"open":' + b"[" * 9_000 + b"]" * 9_000 + b"}"
    well = json.dumps(thing("well", 1)).encode()
    page = b'{"items":[' + deep + b"," + well + b'],"metadata":{"resourceVersion":"2"}}'

    async def again(response: web.StreamResponse) -> None:
        later = deep.replace(b'"resourceVersion": "2"', b'"resourceVersion": "3"').replace(b'"deep"', b'"deeper"')
        await response.write(b'{"type":"ADDED","object":' + later + b"}\n")
        await response.write(event("ADDED", thing("after", 4)))
        await asyncio.sleep(60)

    server.answers = [web.Response(body=page, content_type="application/json")]
    server.watches = [again]
    async with running(server, tmp_path) as reflector:
        await until(lambda: "after" in names_in(reflector))
        assert names_in(reflector) == {"deep", "well", "deeper", "after"}
        assert server.lists == 1


async def test_a_packed_answer_is_not_unpacked(server: ThingServer, tmp_path: Path) -> None:
    packed = web.Response(body=gzip.compress(b"{" + b" " * 50_000_000), headers={"Content-Encoding": "gzip"})
    server.objects = [thing("a", 1)]
    server.answers = [packed]
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert "compressed" in reflector.problem
        await until(lambda: reflector.state is State.SYNCED)
