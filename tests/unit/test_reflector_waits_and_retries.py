"""How long a reflector waits: after failures, between LISTs of a kind without WATCH, and for a kind that is absent.

It runs in virtual time, against an API server in memory.
"""

from __future__ import annotations

import asyncio
import io
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from integration_operator import resources
from integration_operator.runtime.errors import ApiError, Forbidden, Gone, NotFound, Unauthorized, Unavailable
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import Reflector, State, refresh
from integration_operator.runtime.resources import Resource
from integration_operator.runtime.store import Store
from tests.support import builders
from tests.support.api_server import VERSIONS, ApiServer
from tests.support.documents import Document
from tests.support.virtual_time import run

SPACES = resources.ADDRESS_SPACE
ORDERS = Ref("shop", "orders")


@dataclass
class Reading:
    """A reflector, what it read, and when it asked."""

    api: ApiServer
    reflector: Reflector[Document]
    failure: ApiError | None = None
    listed: list[float] = field(default_factory=list)
    discovered: list[float] = field(default_factory=list)
    watched: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.api.before = self._note

    @property
    def names(self) -> set[str]:
        """The names of what is in the store."""
        return {document["metadata"]["name"] for document in self.reflector.store}

    def _note(self, verb: str, path: str) -> None:
        is_collection = path.endswith(self.reflector.resource.plural)
        asked = self.watched if verb == "WATCH" else self.listed if is_collection else self.discovered
        asked.append(asyncio.get_running_loop().time())
        if self.failure is not None and is_collection:
            raise self.failure


@asynccontextmanager
async def reading(
    api: ApiServer | None = None, resource: Resource = SPACES, *, jitter: float = 1.0, **options: Any
) -> AsyncIterator[Reading]:
    """Run a reflector on a cluster with an AddressSpace."""
    api = api or ApiServer()
    api.put(builders.space())
    reflector: Reflector[Document] = Reflector(
        cast(Any, api), resource, Store(lambda document: document), jitter=lambda: jitter, **options
    )
    scene = Reading(api, reflector)
    task = asyncio.create_task(reflector.run())
    await asyncio.sleep(0.1)
    try:
        yield scene
    finally:
        task.cancel()


def gaps(times: list[float]) -> list[float]:
    return [round(later - earlier, 1) for earlier, later in itertools.pairwise(times)]


@pytest.mark.parametrize(("jitter", "share"), [(0.0, 0.5), (1.0, 1.0)])
def test_after_failures_it_waits_longer_and_longer_up_to_half_a_minute(jitter: float, share: float) -> None:
    async def scenario() -> None:
        async with reading(jitter=jitter) as scene:
            scene.failure = Unavailable(503, "Down", "no answer")
            scene.listed.clear()
            refreshing = asyncio.create_task(scene.reflector.refresh())
            await asyncio.sleep(300)
            await refreshing
            waits = gaps(scene.listed)
            assert waits[:8] == pytest.approx([share * w for w in (0.5, 1, 2, 4, 8, 16, 30, 30)], abs=0.1)
            assert scene.reflector.state is State.FAILING
            assert scene.reflector.problem == "Down: no answer"
            assert scene.names == {"orders"}, "what was known is kept"
            scene.failure = None
            await asyncio.sleep(31)
            assert scene.reflector.state is State.SYNCED
            assert scene.reflector.problem == ""
            scene.failure = Unavailable(503, "Down", "no answer")
            scene.listed.clear()
            await scene.reflector.refresh()
            await asyncio.sleep(2)
            assert gaps(scene.listed)[0] == pytest.approx(share * 0.5, abs=0.1), "the failures of before do not count"

    run(scenario())


def test_it_waits_as_long_as_the_server_asks() -> None:
    async def scenario() -> None:
        async with reading() as scene:
            scene.failure = Unavailable(503, "Busy", "later", retry_after=100.0)
            scene.listed.clear()
            await scene.reflector.refresh()
            await asyncio.sleep(150)
            assert gaps(scene.listed) == [100.0]

    run(scenario())


def test_a_version_that_is_too_old_is_listed_again_at_once() -> None:
    async def scenario() -> None:
        async with reading() as scene:
            states = []
            scene.reflector._callbacks = type(scene.reflector._callbacks)(
                on_state=lambda resource, state: states.append(state)
            )
            scene.api.expire("AddressSpace", Gone(410, "Expired", "too old"))
            await asyncio.sleep(0.1)
            assert len(scene.listed) == 2
            assert states == [], "that is no failure"

    run(scenario())


def test_a_failing_kind_is_logged_with_what_to_do_and_not_at_each_attempt(operator_log: io.StringIO) -> None:
    async def scenario() -> None:
        for failure in (Forbidden(403, "Forbidden", "no role"), Unauthorized(401, "Unauthorized", "expired")):
            async with reading() as scene:
                scene.failure = failure
                await scene.reflector.refresh()
                await asyncio.sleep(60)
                assert len(scene.listed) > 7

    run(scenario())
    lines = [line for line in operator_log.getvalue().splitlines() if "reflector failed" in line]
    assert len(lines) == 4
    assert "no permission to list and watch addressspaces: no role" in lines[0]
    assert "the API server does not accept the token: expired" in lines[2]


@pytest.mark.parametrize(("jitter", "seconds"), [(0.0, 8.0), (1.0, 12.0)])
def test_a_kind_without_watch_is_listed_once_a_period(jitter: float, seconds: float) -> None:
    async def scenario() -> None:
        async with reading(ApiServer(unwatched={"AddressSpace"}), jitter=jitter, poll=10.0) as scene:
            scene.api.put(builders.space(name="later"))
            await asyncio.sleep(50)
            assert set(gaps(scene.listed)) == {seconds}
            assert len(scene.discovered) == 2, "that nothing has changed needs no discovery"
            assert scene.watched == []
            assert scene.names == {"orders", "later"}

    run(scenario())


def test_a_kind_that_may_have_moved_is_discovered_and_listed_at_once() -> None:
    async def scenario() -> None:
        async with reading(ApiServer(unwatched={"AddressSpace"})) as scene:
            scene.api.unwatched.clear()
            scene.reflector.wake()
            await asyncio.sleep(1)
            assert len(scene.watched) == 1
            assert scene.reflector.served is not None
            assert scene.reflector.served.watchable

    run(scenario())


@pytest.mark.parametrize(("blind", "poll"), [(False, 600.0), (True, 30.0)])
def test_an_absent_kind_is_looked_for_more_often_if_no_event_would_tell(blind: bool, poll: float) -> None:
    async def scenario() -> None:
        async with reading(ApiServer(absent={"AddressSpace"}), jitter=0.5) as scene:
            scene.reflector.blind = blind
            assert scene.reflector.state is State.ABSENT
            scene.reflector.wake()
            await asyncio.sleep(2)
            scene.discovered.clear()
            await asyncio.sleep(3 * poll)
            assert set(gaps(scene.discovered)) == {poll}
            scene.api.absent.clear()
            scene.reflector.wake()
            await asyncio.sleep(2)
            assert scene.reflector.state is State.SYNCED
            assert scene.names == {"orders"}

    run(scenario())


def test_a_kind_that_is_no_longer_served_is_absent_and_its_store_is_empty() -> None:
    async def scenario() -> None:
        async with reading() as scene:
            scene.api.absent.add("AddressSpace")
            await asyncio.wait_for(scene.reflector.refresh(), 5)
            assert scene.reflector.state is State.ABSENT
            assert (scene.names, scene.reflector.read_from) == (set(), None)

    run(scenario())


def test_a_server_that_refuses_a_list_of_a_kind_that_it_serves_fails() -> None:
    async def scenario() -> None:
        async with reading() as scene:
            scene.failure = NotFound(404, "NotFound", "no such path")
            await asyncio.wait_for(scene.reflector.refresh(), 5)
            assert scene.reflector.state is State.FAILING
            assert scene.names == {"orders"}, "a path that is gone for a moment deletes nothing"

    run(scenario())


def test_several_kinds_are_listed_again_together() -> None:
    async def scenario() -> None:
        api = ApiServer()
        async with reading(api) as spaces, reading(api, resources.SYNDESIS) as instances:
            await asyncio.wait_for(refresh([spaces.reflector, instances.reflector]), 5)
            assert spaces.reflector.confirmed
            assert instances.reflector.confirmed

    run(scenario())


def test_only_objects_with_the_label_are_read() -> None:
    async def scenario() -> None:
        async with reading(resource=resources.SECRET) as scene:
            label = {"integreatly.org/integration": "yes"}
            for name, labels in (("one", label), ("other", {})):
                scene.api.put({"kind": "Secret", "metadata": {"namespace": "shop", "name": name, "labels": labels}})
            await scene.reflector.refresh()
            assert scene.names == {"one"}
            scene.api.put({"kind": "Secret", "metadata": {"namespace": "shop", "name": "two", "labels": label}})
            await scene.reflector.read(Ref("shop", "two"))
            await scene.reflector.read(Ref("shop", "other"))
            assert scene.names == {"one", "two"}

    run(scenario())


@pytest.mark.parametrize(("blind", "poll"), [(False, 600.0), (True, 30.0)])
def test_a_kind_without_watch_that_is_not_to_be_polled_is_not_listed(blind: bool, poll: float) -> None:
    async def scenario() -> None:
        api = ApiServer(unwatched={"MessagingUser"})
        async with reading(api, resources.MESSAGING_USER) as scene:
            scene.reflector.blind = blind
            assert scene.reflector.state is State.UNWATCHED
            scene.reflector.wake()
            await asyncio.sleep(1)
            scene.discovered.clear()
            await asyncio.sleep(3 * poll)
            assert scene.listed == []
            assert len(scene.discovered) == 3 * 2, "no event tells whether it can be watched now"
            api.unwatched.clear()
            scene.reflector.wake()
            await asyncio.sleep(1)
            assert scene.reflector.state is State.SYNCED

    run(scenario())


def test_a_refresh_looks_where_the_kind_is_served_now() -> None:
    async def scenario() -> None:
        async with reading(ApiServer(unwatched={"AddressSpace"}), poll=1000.0) as scene:
            scene.api.unwatched.clear()
            await asyncio.wait_for(scene.reflector.refresh(), 5)
            assert scene.reflector.read_from is not None
            assert scene.reflector.read_from.watchable

    run(scenario())


def test_a_change_during_a_list_is_looked_at_once() -> None:
    async def scenario() -> None:
        async with reading(ApiServer(unwatched={"AddressSpace"}), poll=1000.0) as scene:
            note = scene.api.before
            woken: list[bool] = []

            def change(verb: str, path: str) -> None:
                note(verb, path)
                if path.endswith("addressspaces") and not woken:
                    woken.append(True)
                    scene.reflector.wake()

            scene.api.before = change
            await scene.reflector.refresh()
            scene.discovered.clear()
            await asyncio.sleep(100)
            assert (len(scene.discovered), len(scene.listed)) == (0, 2)

    run(scenario())


def test_the_version_that_the_server_prefers_is_read() -> None:
    async def scenario() -> None:
        for resource, version in ((resources.SYNDESIS, "v1beta3"), (resources.CONNECTION, "v1alpha1")):
            async with reading(resource=resource) as scene:
                assert scene.reflector.served is not None
                assert scene.reflector.served.version == version

    run(scenario())


def test_a_refresh_reads_the_version_that_the_server_prefers_by_then(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with reading(resource=resources.SYNDESIS) as scene:
            monkeypatch.setitem(VERSIONS, "syndesis.io", ("v1", "v1beta3"))
            await asyncio.wait_for(scene.reflector.refresh(), 5)
            assert scene.reflector.read_from is not None
            assert scene.reflector.read_from.version == "v1"

    run(scenario())
