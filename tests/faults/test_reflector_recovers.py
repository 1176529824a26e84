"""A reflector against a server that fails in every way a watch can fail: the store is right again, and nothing else
is hurt.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from integration_operator.runtime import reflector as module
from integration_operator.runtime.client import Client
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import Reflector, State
from integration_operator.runtime.resources import Resource
from integration_operator.runtime.store import Store

Document = dict[str, Any]
Watch = Callable[[web.StreamResponse], Awaitable[None]]

KIND = Resource("Thing", "example.io", "things", version="v1", polled=True)


def thing(name: str, version: int, **more: Any) -> Document:
    return {"metadata": {"name": name, "namespace": "n", "uid": f"uid-{name}", "resourceVersion": str(version)}, **more}


def event(type_: str, document: Document) -> bytes:
    return json.dumps({"type": type_, "object": document}).encode() + b"\n"


class Server:
    """Serves one kind: LISTs from ``objects``, watches from ``watches``, one function each, then watches that stay
    silent.
    """

    def __init__(self) -> None:
        self.objects: list[Document] = []
        self.version = 1
        self.watches: list[Watch] = []
        self.answers: list[web.Response] = []
        self.lists = 0
        self.watched: list[str] = []
        self.served = True
        self.pages = 0
        """The most objects in a page; 0 for all in one."""
        self.limits: list[int] = []
        self.aggregated = False
        """Serves as EnMasse 0.24 does: without watch, and lists of one namespace only."""
        self.discovered = 0
        self.listing = asyncio.Event()
        """Lists of an API that can be watched wait for it."""
        self.listing.set()
        self.before_list: Callable[[], None] = lambda: None

    async def group(self, _: web.Request) -> web.Response:
        if not self.served:
            raise web.HTTPNotFound
        versions = [{"groupVersion": "example.io/v1", "version": "v1"}]
        return web.json_response({"versions": versions, "preferredVersion": versions[0]})

    async def resources(self, _: web.Request) -> web.Response:
        self.discovered += 1
        verbs = ["list"] if self.aggregated else ["list", "watch"]
        return web.json_response({"resources": [{"name": "things", "verbs": verbs}]})

    async def things(self, request: web.Request) -> web.StreamResponse:
        namespace = request.match_info.get("namespace")
        if not self.served or (self.aggregated and namespace is None):
            raise web.HTTPNotFound
        if self.aggregated:
            self.lists += 1
            items = [o for o in self.objects if o["metadata"]["namespace"] == namespace]
            self.before_list()
            return web.json_response({"items": items, "metadata": {}})
        if "watch" in request.query:
            self.watched.append(request.query["resourceVersion"])
            response = web.StreamResponse()
            if self.watches:
                watch = self.watches.pop(0)
                await response.prepare(request)
                await watch(response)
                return response
            await response.prepare(request)
            await asyncio.sleep(60)
            return response
        self.lists += 1
        await self.listing.wait()
        if self.answers:
            return self.answers.pop(0)
        items = self.objects
        metadata: Document = {"resourceVersion": str(self.version)}
        self.limits.append(int(request.query["limit"]))
        if self.pages:
            at, size = int(request.query.get("continue", "0")), min(self.limits[-1], self.pages)
            items = self.objects[at : at + size]
            if at + size < len(self.objects):
                metadata["continue"] = str(at + size)
        return web.json_response({"items": items, "metadata": metadata})


def status(code: int, reason: str = "", **headers: str) -> web.Response:
    return web.json_response(
        {"kind": "Status", "code": code, "reason": reason, "message": reason}, status=code, headers=headers
    )


@asynccontextmanager
async def running(
    server: Server,
    tmp_path: Path,
    namespaces: Callable[[], Awaitable[list[str]]] | None = None,
    *,
    kind: Resource = KIND,
    **limits: Any,
) -> AsyncIterator[Reflector[Document]]:
    application = web.Application()
    application.router.add_get("/apis/example.io", server.group)
    application.router.add_get("/apis/example.io/v1", server.resources)
    application.router.add_get("/apis/example.io/v1/things", server.things)
    application.router.add_get("/apis/example.io/v1/namespaces/{namespace}/things", server.things)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "current-context": "c",
                "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
                "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }
        )
    )
    async with Client.from_kubeconfig(kubeconfig, **limits) as client:
        reflector: Reflector[Document] = Reflector(
            client, kind, Store(lambda d: d), poll=0.1, namespaces=namespaces, jitter=lambda: 0.0
        )
        task = asyncio.create_task(reflector.run())
        try:
            yield reflector
        finally:
            task.cancel()
    await runner.cleanup()


async def until(check: Callable[[], bool], within: float = 10.0) -> None:
    end = time.monotonic() + within
    while not check():
        assert time.monotonic() < end, "not in time"
        await asyncio.sleep(0.01)


async def one_namespace() -> list[str]:
    return ["n"]


def names_in(reflector: Reflector[Document]) -> set[str]:
    return {document["metadata"]["name"] for document in reflector.store}


@pytest.fixture
def server() -> Server:
    made = Server()
    made.objects = [thing("a", 1), thing("b", 1)]
    return made


async def test_deletion_missed_while_the_version_was_too_old(server: Server, tmp_path: Path) -> None:
    async def gone(response: web.StreamResponse) -> None:
        server.objects, server.version = [thing("b", 1), thing("c", 9)], 9
        await response.write(event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}))

    server.watches = [gone]
    async with running(server, tmp_path) as reflector:
        await until(lambda: names_in(reflector) == {"b", "c"})
        assert server.lists == 2
        await until(lambda: server.watched == ["1", "9"])


async def test_events_and_bookmarks_move_the_watch_on(server: Server, tmp_path: Path) -> None:
    async def some(response: web.StreamResponse) -> None:
        await response.write(event("ADDED", thing("c", 2)) + event("DELETED", thing("a", 3)))
        await response.write(event("BOOKMARK", {"metadata": {"resourceVersion": "7"}}))

    server.watches = [some]
    async with running(server, tmp_path) as reflector:
        await until(lambda: server.watched == ["1", "7"])
        assert names_in(reflector) == {"b", "c"}
        assert server.lists == 1, "a watch that ends is no reason to list again"


async def test_cut_in_the_middle_of_an_event(server: Server, tmp_path: Path) -> None:
    async def cut(response: web.StreamResponse) -> None:
        await response.write(event("ADDED", thing("c", 2)) + event("ADDED", thing("d", 3))[:25])
        server.objects, server.version = [thing("a", 1), thing("d", 3)], 3
        assert response._req is not None
        response._req.transport.close()  # type: ignore[union-attr]

    server.watches = [cut]
    async with running(server, tmp_path) as reflector:
        await until(lambda: names_in(reflector) == {"a", "d"})
        await until(lambda: reflector.state is State.SYNCED)


async def test_event_larger_than_any_buffer(server: Server, tmp_path: Path) -> None:
    async def large(response: web.StreamResponse) -> None:
        await response.write(event("ADDED", thing("c", 2, data="x" * 3_000_000)))

    server.watches = [large]
    async with running(server, tmp_path) as reflector:
        await until(lambda: "c" in names_in(reflector))
        assert server.lists == 1


async def test_silent_for_ever(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_SILENCE", 0.3)
    async with running(server, tmp_path) as reflector:
        await until(lambda: len(server.watched) >= 2)
        assert names_in(reflector) == {"a", "b"}


@pytest.mark.parametrize("code", [403, 429, 500, 503])
async def test_refused_for_a_while_keeps_the_store(server: Server, tmp_path: Path, code: int) -> None:
    async def ends(response: web.StreamResponse) -> None:
        server.answers = [status(code, "No"), status(code, "No")]
        await response.write(event("ERROR", {"kind": "Status", "code": code, "reason": "No", "message": "no"}))

    server.watches = [ends]
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert names_in(reflector) == {"a", "b"}
        await until(lambda: reflector.state is State.SYNCED)
        assert server.lists == 4


async def test_retry_after_is_honoured(server: Server, tmp_path: Path) -> None:
    server.answers = [status(429, "TooManyRequests", **{"Retry-After": "2"})]
    began = time.monotonic()
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.SYNCED)
        assert time.monotonic() - began >= 2


async def test_html_with_status_200(server: Server, tmp_path: Path) -> None:
    server.answers = [web.Response(text="<html>please log in</html>", content_type="text/html")]
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert "not JSON" in reflector.problem
        await until(lambda: reflector.state is State.SYNCED)


async def test_null_items_are_an_empty_list_and_none_are_no_list(server: Server, tmp_path: Path) -> None:
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


async def test_pages_and_a_continue_that_expired(server: Server, tmp_path: Path) -> None:
    server.pages = 1
    async with running(server, tmp_path) as reflector:
        await until(lambda: names_in(reflector) == {"a", "b"})
        assert server.lists == 2
    server.lists = 0

    served = server.things

    async def expired(request: web.Request) -> web.StreamResponse:
        if "continue" in request.query and server.lists == 1:
            server.lists += 1
            return status(410, "Expired")
        return await served(request)

    server.things = expired  # type: ignore[method-assign]
    async with running(server, tmp_path) as reflector:
        await until(lambda: names_in(reflector) == {"a", "b"})
        assert server.lists == 4


async def test_absent_is_not_failing_and_is_woken(server: Server, tmp_path: Path) -> None:
    server.served = False
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.ABSENT)
        server.served = True
        await asyncio.sleep(0.2)
        assert server.lists == 0
        reflector.wake()
        await until(lambda: reflector.state is State.SYNCED)
        assert reflector.store.get(Ref("n", "a")) is not None


async def test_restored_to_an_older_state(server: Server, tmp_path: Path) -> None:
    server.version = 90
    server.objects = [thing("a", 90), thing("b", 80)]

    async def restored(response: web.StreamResponse) -> None:
        server.objects, server.version = [thing("a", 5)], 6
        await response.write(event("ERROR", {"kind": "Status", "code": 500, "reason": "InternalError", "message": ""}))

    server.watches = [restored]
    async with running(server, tmp_path) as reflector:
        await until(lambda: names_in(reflector) == {"a"})
        known = reflector.store.get(Ref("n", "a"))
        assert known is not None
        assert known["metadata"]["resourceVersion"] == "5"


async def test_listed_by_namespace_only_once_the_namespaces_are_known(server: Server, tmp_path: Path) -> None:
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


async def test_what_moves_while_it_is_listed_is_listed_again_where_it_is(server: Server, tmp_path: Path) -> None:
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


async def test_what_is_known_is_known_from_where_it_was_read(server: Server, tmp_path: Path) -> None:
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


async def test_what_is_not_watched_is_discovered_once_a_change(server: Server, tmp_path: Path) -> None:
    server.aggregated = True
    async with running(server, tmp_path, kind=replace(KIND, polled=False)) as reflector:
        await until(lambda: reflector.state is State.UNWATCHED)
        reflector.wake()
        await until(lambda: server.discovered == 2)
        await asyncio.sleep(0.3)
        assert server.discovered == 2


async def test_a_list_of_none_as_a_program_in_go_says_it(server: Server, tmp_path: Path) -> None:
    server.objects = [thing("a", 1)]
    server.answers = [web.json_response({"kind": "ThingList", "items": None, "metadata": {"resourceVersion": "1"}})]
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.SYNCED)
        assert names_in(reflector) == set()


async def test_an_answer_without_items_is_no_list(server: Server, tmp_path: Path) -> None:
    server.answers = [web.json_response({"kind": "Thing", "metadata": {}})] * 100
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert "is not a list" in reflector.problem


async def test_a_page_that_is_too_large_is_asked_for_in_smaller_ones(server: Server, tmp_path: Path) -> None:
    """Memory is bounded by the bytes of a page, whatever tenants keep in their objects."""
    server.objects = [thing(f"t{n}", 1, data="x" * 700_000) for n in range(40)]
    server.pages = 500
    async with running(server, tmp_path, page_bytes=2 * 1024 * 1024) as reflector:
        await until(lambda: reflector.state is State.SYNCED, within=30)
        assert len(names_in(reflector)) == 40
    assert server.limits[:5] == [500, 125, 31, 7, 1]
    assert set(server.limits[5:]) == {1}
    assert server.limits.count(500) == 1


async def test_an_object_that_is_larger_than_any_may_be_is_said(server: Server, tmp_path: Path) -> None:
    server.objects = [thing("a", 1, data="x" * 3_000_000)]
    async with running(server, tmp_path, page_bytes=2 * 1024 * 1024) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert "more than 2097152 bytes" in reflector.problem
        assert server.limits[:5] == [500, 125, 31, 7, 1]


async def test_an_event_that_is_larger_than_any_may_be_ends_the_watch(server: Server, tmp_path: Path) -> None:
    async def endless(response: web.StreamResponse) -> None:
        while True:
            await response.write(b"x" * 65536)

    server.objects = [thing("a", 1)]
    server.watches = [endless]
    async with running(server, tmp_path, page_bytes=2 * 1024 * 1024) as reflector:
        await until(lambda: server.lists >= 2)
        await until(lambda: reflector.state is State.SYNCED)
        assert names_in(reflector) == {"a"}


async def test_one_object_that_is_nested_deep_keeps_no_other_from_being_known(server: Server, tmp_path: Path) -> None:
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


async def test_a_packed_answer_is_not_unpacked(server: Server, tmp_path: Path) -> None:
    packed = web.Response(body=gzip.compress(b"{" + b" " * 50_000_000), headers={"Content-Encoding": "gzip"})
    server.objects = [thing("a", 1)]
    server.answers = [packed]
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert "compressed" in reflector.problem
        await until(lambda: reflector.state is State.SYNCED)
