"""A server that lags behind answers a LIST with what was true before. Nothing is done because of one such answer."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import State
from integration_operator.runtime.store import Store
from tests.support.documents import Document
from tests.support.thing_server import ThingServer, event, names_in, running, status, thing, until


async def test_the_first_list_stands_alone_until_it_is_repeated(server: ThingServer, tmp_path: Path) -> None:
    async with running(server, tmp_path) as reflector:
        assert reflector.confirmed, "nothing is concluded from a kind that was not listed"
        await until(lambda: len(server.watched) == 1)
        assert not reflector.confirmed
        await reflector.refresh()
        assert reflector.confirmed
        assert server.lists == 2


async def test_a_repetition_that_shows_less_confirms_nothing(server: ThingServer, tmp_path: Path) -> None:
    async with running(server, tmp_path) as reflector:
        await until(lambda: len(server.watched) == 1)
        server.objects = [thing("a", 1)]
        await reflector.refresh()
        assert not reflector.confirmed, "b was there, and no event said that it was deleted"
        await reflector.refresh()
        assert reflector.confirmed, "two answers agree"


async def test_a_repetition_that_is_older_confirms_nothing(server: ThingServer, tmp_path: Path) -> None:
    server.version = 7
    async with running(server, tmp_path) as reflector:
        await until(lambda: len(server.watched) == 1)
        server.version = 5
        await reflector.refresh()
        assert not reflector.confirmed
        await reflector.refresh()
        assert reflector.confirmed, "the server was restored from a backup"


async def test_a_list_after_an_outage_stands_alone_again(server: ThingServer, tmp_path: Path) -> None:
    async def broken(response: web.StreamResponse) -> None:
        await response.write(b"no event\n")

    async with running(server, tmp_path) as reflector:
        await until(lambda: len(server.watched) == 1)
        server.watches = [broken]
        await reflector.refresh()
        assert reflector.confirmed
        await until(lambda: server.lists == 3)
        await until(lambda: not reflector.confirmed)


async def test_a_deletion_that_was_watched_is_certain(server: ThingServer, tmp_path: Path) -> None:
    async def deletion(response: web.StreamResponse) -> None:
        await response.write(event("DELETED", thing("a", 2)))

    server.watches = [deletion]
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.store.saw_deletion(Ref("n", "a")))
        assert names_in(reflector) == {"b"}


def test_what_a_list_does_not_show_was_not_seen_to_be_deleted() -> None:
    store: Store[Document] = Store(lambda document: document)
    store.replace([store.read(thing("a", 1))], store.epoch())
    (ref,) = store._entries
    store.replace([], store.epoch())
    assert store.get(ref) is None
    assert not store.saw_deletion(ref)


def test_an_object_that_exists_again_is_not_deleted() -> None:
    store: Store[Document] = Store(lambda document: document)
    store.apply_event("ADDED", thing("a", 1))
    (ref,) = store._entries
    store.apply_event("DELETED", thing("a", 2))
    assert store.saw_deletion(ref)
    again = thing("a", 3)
    again["metadata"]["uid"] = "another"
    store.apply_event("ADDED", again)
    assert not store.saw_deletion(ref)


async def test_an_older_answer_after_a_failed_one(server: ThingServer, tmp_path: Path) -> None:
    server.version = 90
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.SYNCED)
        server.version, server.answers = 6, [status(503, "ServiceUnavailable")]
        await reflector.refresh()
        assert reflector.state is State.FAILING
        await until(lambda: reflector.state is State.SYNCED)
        assert not reflector.confirmed, "the server lags behind what it has answered before it failed"
