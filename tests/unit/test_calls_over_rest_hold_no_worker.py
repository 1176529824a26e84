"""A call over REST goes on beside the workers: one at a time for a side, repeated by its own clock, never forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from integration_operator.controllers.integration.remote_calls import MOMENT, RemoteCalls
from integration_operator.controllers.integration.remote_state import RemoteStateStore
from integration_operator.domain.model.actions import DeleteRemote, EnsureRemote
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.naming import connection_ref
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace
from integration_operator.domain.model.remote_state import Presence, RemoteState
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.runtime.conditions import Event
from integration_operator.runtime.errors import Deferred, Failure
from integration_operator.runtime.ref import Ref
from tests.support.builders import integration as document_of

PAIR = Pair(Ref("shop", "orders"), Ref("shop", "syndesis"))
DOCUMENT = {"metadata": connection_ref(PAIR)._asdict(), "spec": {}}
DELIVER = EnsureRemote(
    "Connection",
    "rest",
    PAIR,
    DOCUMENT,
    Credential("user", "password"),
    AddressSpace(PAIR.space, "1", "enmasse.io/v1beta1"),
    RemoteState(),
    "applied",
    "credentials",
    "the test asks for it",
    platform="uid-1",
)
WITHDRAW = DeleteRemote("Connection", "rest", PAIR, connection_ref(PAIR), RemoteState(), "the test asks for it")


class Stalls(Failure):
    stalls = True


@dataclass
class Server:
    """A delivery whose answers a test decides."""

    answer: Callable[[], Any] = lambda: None
    calls: list[str] = field(default_factory=list)
    recovered: Callable[[str | None], None] = lambda namespace: None

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        await self._asked(f"deliver {action.applied}")
        return RemoteState("rest", Presence.PRESENT, "id", action.applied, action.credentials)

    async def delete(self, action: DeleteRemote) -> Event | None:
        await self._asked("withdraw")
        return Event("Warning", "ConnectionInUse", "it was in use")

    async def _asked(self, what: str) -> None:
        self.calls.append(what)
        answer = self.answer()
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            await answer

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        self.recovered = callback

    async def close(self) -> None:
        pass


@dataclass
class Beside:
    """The work of one process, with the pairs that it put back into the queue and the Events that it posted."""

    server: Server
    work: RemoteCalls
    register: RemoteStateStore
    again: list[Pair]
    said: list[str]


@asynccontextmanager
async def beside() -> AsyncIterator[Beside]:
    server, again, said = Server(), [], []
    clock = asyncio.get_running_loop().time
    register = RemoteStateStore(600.0, clock)
    work = RemoteCalls(
        {"rest": server},
        register,
        again.append,
        lambda about, announcement: said.append(announcement.reason),
        clock=clock,
        jitter=lambda: 0.0,
    )
    try:
        yield Beside(server, work, register, again, said)
    finally:
        await work.stop(0.1)


def written(**metadata: Any) -> Integration:
    document = document_of()
    document["metadata"] |= {"uid": "integration", "generation": 1, **metadata}
    return parse_integration(document)


async def test_a_call_that_is_answered_at_once_is_done_when_the_worker_goes_on() -> None:
    async with beside() as at:
        assert await at.work.start(written(), DELIVER) is None
        assert not at.work.is_busy(written())
        state = at.register.of(written()).connection
        assert (state.present, state.applied, state.platform) == (True, "applied", "uid-1")
        assert at.again == [PAIR]
        await at.work.start(written(), WITHDRAW)
        assert at.register.of(written()).connection.absent
        assert at.said == ["ConnectionInUse"]


async def test_a_call_that_hangs_holds_a_worker_for_a_moment_only() -> None:
    async with beside() as at:
        hanging = asyncio.Event()
        at.server.answer = hanging.wait
        began = asyncio.get_running_loop().time()
        assert await at.work.start(written(), DELIVER) is None
        assert asyncio.get_running_loop().time() - began < MOMENT + 0.3
        assert at.work.is_busy(written())
        for _ in range(3):
            await at.work.start(written(), DELIVER)
        assert at.server.calls == ["deliver applied"], "one call at a time"
        hanging.set()
        await asyncio.sleep(0.01)
        assert at.again == [PAIR], "its end brings the pair back"


async def test_a_failure_is_told_and_repeated_by_a_clock_of_its_own() -> None:
    async with beside() as at:
        at.server.answer = lambda: Failure("Down", "no answer")
        failure = await at.work.start(written(), DELIVER)
        assert failure is not None
        assert failure.reason == "Down"
        assert await at.work.start(written(), DELIVER) is failure, "not asked again at once"
        assert len(at.server.calls) == 1
        at.again.clear()
        await asyncio.sleep(0.12)
        assert at.again == [PAIR]
        await at.work.start(written(), DELIVER)
        await asyncio.sleep(0.01)
        assert len(at.server.calls) == 2


async def test_a_changed_wish_does_not_wait() -> None:
    async with beside() as at:
        at.server.answer = lambda: Stalls("Refused", "not like this")
        await at.work.start(written(), DELIVER)
        await at.work.start(written(), replace(DELIVER, applied="changed"))
        await at.work.start(written(generation=2), replace(DELIVER, applied="changed"))
        await at.work.start(written(generation=2), WITHDRAW)
        assert at.server.calls == ["deliver applied", "deliver changed", "deliver changed", "withdraw"]


async def test_what_failed_may_have_been_done() -> None:
    async with beside() as at:
        for failure in (Failure("Down", "no answer"), Deferred("Down", "not asked", retry_after=30.0), RuntimeError()):
            at.register.note(
                written(), "Connection", RemoteState("rest", Presence.PRESENT, "id", "applied", "credentials")
            )
            at.server.answer = lambda failure=failure: failure
            await at.work.start(written(generation=id(failure)), DELIVER)
            assert at.register.of(written()).connection.applied == "", "nothing is confirmed any more"


async def test_a_deferred_call_comes_back_with_its_server() -> None:
    async with beside() as at:
        at.server.answer = lambda: Deferred("SyndesisUnavailable", "not asked for 30 s", retry_after=30.0)
        failure = await at.work.start(written(), DELIVER)
        assert isinstance(failure, Deferred)
        at.again.clear()
        at.server.recovered("elsewhere")
        assert at.again == []
        at.server.recovered("shop")
        assert at.again == [PAIR]
        at.server.answer = lambda: None
        assert await at.work.start(written(), DELIVER) is None
        assert at.register.of(written()).connection.present


async def test_a_call_that_replaces_one_takes_its_turn() -> None:
    """Each call that waits for a server has another turn to try it; one that nobody takes delays all others."""
    async with beside() as at:
        at.server.answer = lambda: Deferred("SyndesisUnavailable", "not asked", retry_after=0.2)
        await at.work.start(written(), DELIVER)
        at.server.answer = lambda: Deferred("SyndesisUnavailable", "not asked", retry_after=30.0)
        await at.work.start(written(generation=2), WITHDRAW)
        at.again.clear()
        await asyncio.sleep(0.3)
        assert at.again == [PAIR]
        await at.work.start(written(generation=2), WITHDRAW)
        at.again.clear()
        await asyncio.sleep(0.3)
        assert at.again == [], "the next turn is its own"


async def test_the_time_of_taking_down_is_this_processs_own() -> None:
    async with beside() as at:
        assert at.work.seconds_deleting(written()) == 0.0
        long_ago = written(deletionTimestamp="2001-01-01T00:00:00Z")
        assert at.work.seconds_deleting(long_ago) < 1.0, "no clock but its own counts"
        await asyncio.sleep(0.05)
        assert at.work.seconds_deleting(long_ago) >= 0.05
        at.work.forget(long_ago)
        assert at.work.seconds_deleting(long_ago) < 0.05


async def test_a_stop_cuts_off_what_hangs_and_leaves_it_in_doubt() -> None:
    async with beside() as at:
        at.server.answer = asyncio.Event().wait
        await at.work.start(written(), DELIVER)
        await at.work.stop(0.05)
        assert not at.work.is_busy(written())
        assert at.register.of(written()).connection.presence is Presence.UNKNOWN


@pytest.mark.parametrize("kind", ["keycloak", "aggregated"])
async def test_a_delivery_that_is_not_set_up_is_said(kind: Any) -> None:
    async with beside() as at:
        failure = await at.work.start(written(), replace(DELIVER, delivery=kind))
        assert failure is not None
        assert failure.reason == "DeliveryNotAvailable"
