"""A reflector recovers from every way in which a watch can fail, and harms nothing else."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from aiohttp import web

from integration_operator.runtime import reflector as module
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import State
from tests.support.thing_server import ThingServer, event, names_in, running, status, thing, until


async def test_deletion_missed_while_the_version_was_too_old(server: ThingServer, tmp_path: Path) -> None:
    async def gone(response: web.StreamResponse) -> None:
        server.objects, server.version = [thing("b", 1), thing("c", 9)], 9
        await response.write(event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}))

    server.watches = [gone]
    async with running(server, tmp_path) as reflector:
        await until(lambda: names_in(reflector) == {"b", "c"})
        assert server.lists == 2
        await until(lambda: server.watched == ["1", "9"])


async def test_events_and_bookmarks_move_the_watch_on(server: ThingServer, tmp_path: Path) -> None:
    async def some(response: web.StreamResponse) -> None:
        await response.write(event("ADDED", thing("c", 2)) + event("DELETED", thing("a", 3)))
        await response.write(event("BOOKMARK", {"metadata": {"resourceVersion": "7"}}))

    server.watches = [some]
    async with running(server, tmp_path) as reflector:
        await until(lambda: server.watched == ["1", "7"])
        assert names_in(reflector) == {"b", "c"}
        assert server.lists == 1, "a watch that ends is no reason to list again"


async def test_cut_in_the_middle_of_an_event(server: ThingServer, tmp_path: Path) -> None:
    async def cut(response: web.StreamResponse) -> None:
        await response.write(event("ADDED", thing("c", 2)) + event("ADDED", thing("d", 3))[:25])
        server.objects, server.version = [thing("a", 1), thing("d", 3)], 3
        assert response._req is not None
        response._req.transport.close()  # type: ignore[union-attr]

    server.watches = [cut]
    async with running(server, tmp_path) as reflector:
        await until(lambda: names_in(reflector) == {"a", "d"})
        await until(lambda: reflector.state is State.SYNCED)


async def test_silent_for_ever(server: ThingServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_SILENCE", 0.3)
    async with running(server, tmp_path) as reflector:
        await until(lambda: len(server.watched) >= 2)
        assert names_in(reflector) == {"a", "b"}


@pytest.mark.parametrize("code", [403, 429, 500, 503])
async def test_refused_for_a_while_keeps_the_store(server: ThingServer, tmp_path: Path, code: int) -> None:
    async def ends(response: web.StreamResponse) -> None:
        server.answers = [status(code, "No"), status(code, "No")]
        await response.write(event("ERROR", {"kind": "Status", "code": code, "reason": "No", "message": "no"}))

    server.watches = [ends]
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert names_in(reflector) == {"a", "b"}
        await until(lambda: reflector.state is State.SYNCED)
        assert server.lists == 4


async def test_retry_after_is_honoured(server: ThingServer, tmp_path: Path) -> None:
    server.answers = [status(429, "TooManyRequests", **{"Retry-After": "2"})]
    began = time.monotonic()
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.SYNCED)
        assert time.monotonic() - began >= 2


async def test_html_with_status_200(server: ThingServer, tmp_path: Path) -> None:
    server.answers = [web.Response(text="<html>please log in</html>", content_type="text/html")]
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.FAILING)
        assert "not JSON" in reflector.problem
        await until(lambda: reflector.state is State.SYNCED)


async def test_pages_and_a_continue_that_expired(server: ThingServer, tmp_path: Path) -> None:
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


async def test_absent_is_not_failing_and_is_woken(server: ThingServer, tmp_path: Path) -> None:
    server.served = False
    async with running(server, tmp_path) as reflector:
        await until(lambda: reflector.state is State.ABSENT)
        server.served = True
        await asyncio.sleep(0.2)
        assert server.lists == 0
        reflector.wake()
        await until(lambda: reflector.state is State.SYNCED)
        assert reflector.store.get(Ref("n", "a")) is not None


async def test_restored_to_an_older_state(server: ThingServer, tmp_path: Path) -> None:
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
