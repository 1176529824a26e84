"""Of several processes one leads: by a Lease, with clocks of their own, whatever the network and the scheduler do.

All of it happens in virtual time, against a server that keeps one Lease.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_operator.runtime.lease import DEADLINE, RENEWAL, Record
from tests.support.documents import Document
from tests.support.lease_server import DURATION, LEASE, Candidate, LeaseServer
from tests.support.virtual_time import run

DAY = 86_400.0


async def two(server: LeaseServer, **second: float) -> tuple[Candidate, Candidate]:
    """Return a process that leads and one that stands by."""
    leader = Candidate(server, "first")
    await leader.leads(1)
    standby = Candidate(server, "second", **second)  # type: ignore[arg-type]
    await asyncio.sleep(3)
    return leader, standby


def test_two_that_start_together() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        both = [Candidate(server, name) for name in ("first", "second")]
        await asyncio.sleep(60)
        assert [candidate.may_write for candidate in both].count(True) == 1
        assert [verb for verb, _ in server.writes].count("POST") == 1
        assert len({holder for _, holder in server.writes}) == 1

    run(scenario())


def test_the_standby_asks_nothing_while_the_leader_renews() -> None:
    async def scenario() -> None:
        leader, standby = await two(LeaseServer())
        before = len(standby.network.requests), len(leader.network.requests)
        await asyncio.sleep(60)
        assert len(standby.network.requests) == before[0]
        renewals = len(leader.network.requests) - before[1]
        assert 60 / (DURATION * RENEWAL) <= renewals <= 60 / (DURATION * RENEWAL) * 1.3

    run(scenario())


def test_a_proxy_that_ends_each_watch_is_not_asked_without_a_pause() -> None:
    async def scenario() -> None:
        leader, standby = await two(LeaseServer())
        standby.network.ends_watches = True
        standby.network.is_cut = True  # ends the watch that it has
        await asyncio.sleep(12)
        standby.network.is_cut = False
        before = len(standby.network.requests)
        await asyncio.sleep(60)
        assert 30 < len(standby.network.requests) - before < 150
        await leader.elector.release()
        assert await standby.leads(within=5) <= 2.1

    run(scenario())


@pytest.mark.parametrize("ahead", [-DAY, -60.0, 60.0, DAY], ids=lambda ahead: f"{ahead:+g} s")
def test_a_wrong_wall_clock_does_not_matter(ahead: float) -> None:
    """A dead leader is replaced when its record has not changed for its duration, and not earlier."""

    async def scenario() -> None:
        leader, standby = await two(LeaseServer(), ahead=ahead)
        await asyncio.sleep(60)
        assert leader.may_write
        leader.network.is_cut = True
        seconds = await standby.leads(within=15)
        assert DURATION * (1 - RENEWAL) - 0.1 < seconds < DURATION + 0.1
        assert not leader.may_write

    run(scenario())


@pytest.mark.parametrize("failure", ["is_cut", "refused"])
def test_the_leader_ends_before_another_process_may_lead(failure: str) -> None:
    """An API server that accepts and never answers is no reason to go on."""

    async def scenario() -> None:
        leader, standby = await two(LeaseServer())
        setattr(leader.network, failure, True)
        began = asyncio.get_running_loop().time()
        await leader.task
        assert leader.elector.lost
        assert asyncio.get_running_loop().time() - began <= DURATION * DEADLINE
        assert leader.changes == [True, False]
        assert not standby.may_write
        assert await standby.leads(within=15) > DURATION * (1 - DEADLINE - RENEWAL)

    run(scenario())


def test_a_short_outage_changes_nothing() -> None:
    async def scenario() -> None:
        leader, standby = await two(LeaseServer())
        leader.network.is_cut = standby.network.is_cut = True
        await asyncio.sleep(3)
        leader.network.is_cut = standby.network.is_cut = False
        await asyncio.sleep(60)
        assert leader.may_write
        assert standby.changes == []

    run(scenario())


def test_a_process_that_wakes_up_late_may_not_write() -> None:
    """Not for a moment: not before its tasks have noticed, and not because a request was queued."""

    async def scenario() -> None:
        leader, standby = await two(LeaseServer())
        leader.stop()
        await standby.leads(within=15)
        assert not leader.may_write
        leader.resume()
        assert not leader.may_write
        await leader.task
        assert leader.elector.lost
        assert standby.may_write

    run(scenario())


def test_a_renewal_whose_answer_is_lost_does_not_count_and_does_no_harm() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        leader, standby = await two(server)
        leader.network.lose_answers = 1
        await asyncio.sleep(60)
        assert leader.may_write
        assert leader.changes == [True]
        assert standby.changes == []

    run(scenario())


def test_a_lease_whose_first_write_has_no_answer_is_taken_at_once() -> None:
    """The identity is of this process alone, so the Lease is."""

    async def scenario() -> None:
        only = Candidate(LeaseServer(), "only")
        only.network.lose_answers = 1
        assert await only.leads(within=15) < DURATION / 2 + DURATION * RENEWAL

    run(scenario())


def test_a_released_lease_is_taken_at_once() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        leader, standby = await two(server)
        await leader.elector.release()
        assert not leader.may_write
        assert await standby.leads(within=1) < 0.1
        assert server.lease is not None
        assert server.lease["spec"]["leaseTransitions"] == 1 == standby.elector.transitions
        assert (leader.elector.is_leading, standby.elector.is_leading) == (False, True)
        await leader.task
        assert not leader.elector.lost
        assert leader.changes == [True, False]

    run(scenario())


def test_a_release_comes_after_a_renewal_that_is_under_way() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        leader, standby = await two(server)
        leader.network.delay = 0.5
        asked = len(leader.network.requests)
        while len(leader.network.requests) == asked:
            await asyncio.sleep(0.05)
        await leader.elector.release()
        assert not leader.may_write
        await standby.leads(within=2)
        await asyncio.sleep(60)
        assert standby.may_write
        assert not leader.may_write

    run(scenario())


def test_a_process_that_does_not_lead_releases_nothing() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        leader, standby = await two(server)
        before = len(server.writes)
        await standby.elector.release()
        assert len(server.writes) == before
        assert leader.may_write

    run(scenario())


def test_the_duration_in_the_record_counts() -> None:
    """While the setting is changed, a process may meet a leader with a longer Lease than its own."""

    async def scenario() -> None:
        server = LeaseServer()
        leader = Candidate(server, "first", duration=60)
        await leader.leads(1)
        standby = Candidate(server, "second", duration=3)
        await asyncio.sleep(3)
        leader.network.is_cut = True
        while leader.may_write:
            assert not standby.may_write
            await asyncio.sleep(0.1)
        assert await standby.leads(within=61) > 10

    run(scenario())


def test_a_deleted_lease_is_created_by_its_holder() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        leader, standby = await two(server)
        server.delete()
        await asyncio.sleep(DURATION)
        assert server.holder == "first"
        assert leader.may_write
        assert standby.changes == []
        server.delete()
        leader.network.is_cut = True
        assert await standby.leads(within=15) > DURATION - 0.1

    run(scenario())


def test_a_lease_that_cannot_be_created_is_reported(operator_log: io.StringIO) -> None:
    """Such as one in a namespace that does not exist."""

    async def scenario() -> None:
        server = LeaseServer()
        server.has_namespace = False
        only = Candidate(server, "only")
        await asyncio.sleep(60)
        assert not only.may_write

    run(scenario())
    assert "lease not available" in operator_log.getvalue()


def test_a_lease_that_a_user_edits() -> None:
    """Nonsense in it stops nobody; another holder ends the leader at its next renewal."""

    async def scenario() -> None:
        server = LeaseServer()
        leader, standby = await two(server)
        server.edit(leaseDurationSeconds="many", leaseTransitions=None, renewTime=5)
        await asyncio.sleep(30)
        assert leader.may_write
        server.edit(holderIdentity="somebody")
        await leader.task
        assert leader.elector.lost
        assert await standby.leads(within=15) > 5

    run(scenario())


@given(st.integers(0, 2**32))
def test_any_history(seed: int) -> None:
    """Three processes, requests and answers that are slow or lost, cuts and stops, clocks whose speed differs by 10 %.

    At no time may two of them write. When the disturbance ends, one leads, and only one.
    """

    async def scenario() -> None:
        chance = random.Random(seed)
        loop = asyncio.get_running_loop()
        server = LeaseServer()
        candidates: list[Candidate] = []

        def start(number: int) -> Candidate:
            candidate = Candidate(
                server, f"{number}", chance=random.Random(chance.random()), speed=chance.uniform(0.95, 1.05)
            )
            candidate.network.delay, candidate.network.loss = (
                chance.choice([0.01, 0.2, 2.0]),
                chance.choice([0, 0.1, 0.4]),
            )
            candidates.append(candidate)
            return candidate

        for number in range(3):
            start(number)
        while loop.time() < 200:
            await asyncio.sleep(chance.uniform(0, 0.5))
            writers = [candidate.elector.identity for candidate in candidates if candidate.may_write]
            assert len(writers) <= 1, f"at {loop.time():.1f} s"
            candidate = chance.choice(candidates)
            match chance.randrange(60):
                case 0:
                    candidate.stop()
                case 1:
                    candidate.resume()
                case 2:
                    candidate.network.is_cut = not candidate.network.is_cut
                case 3 if candidate.task.done():
                    start(len(candidates))
                case 4 if candidate.may_write:
                    await candidate.elector.release()
                    start(len(candidates))
        start(len(candidates))
        for candidate in candidates:
            candidate.network.delay, candidate.network.loss, candidate.network.is_cut = 0.01, 0, False
            candidate.resume()
        await asyncio.sleep(40)
        assert sum(candidate.may_write for candidate in candidates) == 1

    run(scenario())


@pytest.mark.parametrize(("written", "read"), [(7, 7.0), (0, 15.0), (-7, 15.0), ("many", 15.0), (None, 15.0)], ids=str)
def test_a_duration_that_is_none_is_that_of_the_setting(written: object, read: float) -> None:
    record = Record.of({"metadata": {}, "spec": {"leaseDurationSeconds": written}}, 15.0)
    assert record.duration == read


def test_transitions_count_how_often_the_leader_changed() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        leader, standby = await two(server)
        assert server.lease is not None
        assert server.lease["spec"]["leaseTransitions"] == 0
        await leader.elector.release()
        await standby.leads(within=1)
        assert server.lease["spec"]["leaseTransitions"] == 1

    run(scenario())


@pytest.mark.parametrize("spec", [{}, {"leaseTransitions": "many", "leaseDurationSeconds": None}], ids=str)
def test_a_lease_that_a_user_created_is_taken(spec: Document) -> None:
    async def scenario() -> None:
        server = LeaseServer()
        server.post({"metadata": LEASE._asdict(), "spec": spec})
        leader = Candidate(server, "first")
        await leader.leads(1)
        assert server.lease is not None
        assert server.lease["spec"]["leaseTransitions"] == 1
        assert server.lease["spec"]["leaseDurationSeconds"] == DURATION

    run(scenario())


def test_a_lease_that_a_user_edits_while_it_is_released_is_released() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        leader, standby = await two(server)
        server.edit(renewTime="later")
        await leader.elector.release()
        assert server.holder == ""
        assert await standby.leads(within=1) < 0.1

    run(scenario())


@pytest.mark.parametrize("how", ["taken", "deleted"])
def test_a_lease_that_is_no_longer_of_this_process_is_not_written_to_release_it(how: str) -> None:
    async def scenario() -> None:
        server = LeaseServer()
        leader = Candidate(server, "first")
        await leader.leads(1)
        if how == "taken":
            server.edit(holderIdentity="somebody")
        else:
            server.delete()
        writes = list(server.writes)
        await leader.elector.release()
        assert server.writes == writes
        assert leader.changes == [True, False]

    run(scenario())


def test_a_server_that_stops_answering_in_the_middle_of_a_conflict_ends_the_leader_in_time() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        leader = Candidate(server, "first")
        await leader.leads(1)
        await asyncio.sleep(20)

        async def unanswered(path: str) -> Document:
            await asyncio.Event().wait()
            raise AssertionError

        leader.network.get = unanswered  # type: ignore[method-assign]
        server.edit(renewTime="later")  # the next renewal meets a conflict
        async with asyncio.timeout(DURATION):
            await leader.task
        assert leader.elector.lost

    run(scenario())


def test_a_process_that_finds_no_answer_asks_again_before_a_lease_runs_out() -> None:
    async def scenario() -> None:
        candidate = Candidate(LeaseServer(), "first")
        candidate.network.is_cut = True
        await asyncio.sleep(DURATION)
        assert 2 <= len(candidate.network.requests) <= 4
        candidate.network.is_cut = False
        assert await candidate.leads(within=DURATION) < DURATION * (DEADLINE / 2 + RENEWAL)

    run(scenario())


def test_a_watch_that_lasted_is_opened_again_at_once() -> None:
    async def scenario() -> None:
        server = LeaseServer()
        leader = Candidate(server, "first")
        await leader.leads(1)
        standby = Candidate(server, "second")
        watch, opened = standby.network.watch, []

        async def for_five_seconds(path: str, query: dict[str, str]) -> AsyncIterator[Document]:
            opened.append(asyncio.get_running_loop().time())
            with suppress(TimeoutError):
                async with asyncio.timeout(5):
                    async for event in watch(path, query):
                        yield event

        standby.network.watch = for_five_seconds  # type: ignore[method-assign]
        await asyncio.sleep(60)
        assert leader.may_write
        assert len(opened) > 10
        assert all(later - earlier < 5.1 for earlier, later in itertools.pairwise(opened))

    run(scenario())
