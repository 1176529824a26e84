"""A reflector of some namespaces lists and watches each, and starts anew in all after an error in one."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from integration_operator.runtime.reflector import State
from tests.support.thing_server import ThingServer, event, names_in, running, status, thing, until


async def test_each_is_listed_and_watched(server: ThingServer, tmp_path: Path) -> None:
    async def added(response: web.StreamResponse) -> None:
        await response.write(event("ADDED", thing("c", 2, namespace="one")))

    server.objects = [thing(name, 1, namespace=name) for name in ("one", "two", "three")]
    server.watches = [added]
    async with running(server, tmp_path, within=("one", "two")) as reflector:
        await until(lambda: names_in(reflector) == {"one", "two", "c"})
        await until(lambda: len(server.watched) == 3)
    assert server.lists == 2, "a watch that ends is no reason to list again"
    assert server.namespaces[:2] == ["one", "two"]
    assert sorted(map(str, server.namespaces[2:])) == ["one", "one", "two"]
    assert sorted(server.watched) == ["1", "1", "2"], "each goes on from what it has seen itself"


async def test_an_error_in_one_lists_all_again(server: ThingServer, tmp_path: Path) -> None:
    async def gone(response: web.StreamResponse) -> None:
        server.objects, server.version = [thing("a", 9, namespace="one"), thing("d", 9, namespace="two")], 9
        await response.write(event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}))

    server.objects = [thing("a", 1, namespace="one"), thing("b", 1, namespace="two")]
    server.watches = [gone]
    async with running(server, tmp_path, within=("one", "two")) as reflector:
        await until(lambda: names_in(reflector) == {"a", "d"})
        await until(lambda: server.watched.count("9") == 2)
    assert server.lists == 4


async def test_a_namespace_that_may_not_be_read_fails_the_kind(server: ThingServer, tmp_path: Path) -> None:
    """What is there counts as unknown: nothing may be concluded from its absence."""
    server.objects = [thing("a", 1, namespace="one")]
    async with running(server, tmp_path, within=("one", "two")) as reflector:
        await until(lambda: reflector.state is State.SYNCED)
        server.answers = [status(403, "Forbidden")] * 4
        await reflector.refresh()
        assert reflector.state is State.FAILING
        assert names_in(reflector) == {"a"}
