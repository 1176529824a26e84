"""A reflector of an API without watch lists it by namespace, and tells an empty list from no list."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import State
from tests.support.thing_server import KIND, ThingServer, names_in, one_namespace, running, thing, until


async def test_listed_by_namespace_only_once_the_namespaces_are_known(server: ThingServer, tmp_path: Path) -> None:
    server.aggregated = True
    known = asyncio.Event()

    async def namespaces() -> list[str]:
        await known.wait()
        return ["empty", "n"]

    async with running(server, tmp_path, namespaces) as reflector:
        await asyncio.sleep(0.3)
        assert reflector.state is State.STARTING, "no list of no namespaces says that there is nothing"
        known.set()
        await until(lambda: reflector.state is State.SYNCED)
        assert names_in(reflector) == {"a", "b"}
        server.objects = [thing("c", 5)]
        await until(lambda: names_in(reflector) == {"c"})


async def test_what_moves_while_it_is_listed_is_listed_again_where_it_is(server: ThingServer, tmp_path: Path) -> None:
    """An upgrade of EnMasse: the earlier API answers a last time, when its successor has made everything anew."""
    server.aggregated = True
    async with running(server, tmp_path, one_namespace) as reflector:
        await until(lambda: names_in(reflector) == {"a", "b"})
        seen: list[set[str]] = []
        reflector.store.subscribe(lambda old, new: seen.append(names_in(reflector)))

        def upgraded() -> None:
            server.objects = [thing("a", 7), thing("b", 8)]
            server.aggregated = False
            reflector.wake()

        server.objects, server.before_list = [], upgraded
        await until(lambda: bool(server.watched))
        assert names_in(reflector) == {"a", "b"}
        assert set() not in seen, "the last answer of the earlier API says nothing"
        assert reflector.store.get(Ref("n", "a")) == {
            **thing("a", 7), "apiVersion": "example.io/v1", "kind": "Thing"
        }  # fmt: skip


async def test_what_is_known_is_known_from_where_it_was_read(server: ThingServer, tmp_path: Path) -> None:
    server.aggregated = True
    async with running(server, tmp_path, one_namespace) as reflector:
        await until(lambda: names_in(reflector) == {"a", "b"})
        server.listing.clear()
        server.objects, server.aggregated = [], False
        reflector.wake()
        await until(lambda: reflector.served is not None and reflector.served.watchable)
        assert names_in(reflector) == {"a", "b"}
        assert reflector.read_from is not None
        assert not reflector.read_from.watchable
        server.listing.set()
        await until(lambda: names_in(reflector) == set())
        assert reflector.read_from.watchable


async def test_what_is_not_watched_is_discovered_once_a_change(server: ThingServer, tmp_path: Path) -> None:
    server.aggregated = True
    async with running(server, tmp_path, kind=replace(KIND, polled=False)) as reflector:
        await until(lambda: reflector.state is State.UNWATCHED)
        reflector.wake()
        await until(lambda: server.discovered == 2)
        await asyncio.sleep(0.3)
        assert server.discovered == 2


async def test_null_items_are_an_empty_list_and_none_are_no_list(server: ThingServer, tmp_path: Path) -> None:
    """A server in Go answers so if its slice was never made; an answer without the key says nothing."""
    server.answers = [
        web.json_response({"metadata": {"resourceVersion": "1"}}),
        web.json_response({"items": {}, "metadata": {"resourceVersion": "1"}}),
        web.json_response({"items": None, "metadata": {"resourceVersion": "1"}}),
    ]
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert "is not a list" in reflector.problem
        await until(lambda: reflector.state is State.SYNCED)
        assert (names_in(reflector), server.lists) == (set(), 3)


async def test_a_list_of_none_as_a_program_in_go_says_it(server: ThingServer, tmp_path: Path) -> None:
    server.objects = [thing("a", 1)]
    server.answers = [web.json_response({"kind": "ThingList", "items": None, "metadata": {"resourceVersion": "1"}})]
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.SYNCED)
        assert names_in(reflector) == set()


async def test_an_answer_without_items_is_no_list(server: ThingServer, tmp_path: Path) -> None:
    server.answers = [web.json_response({"kind": "Thing", "metadata": {}})] * 100
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert "is not a list" in reflector.problem
