"""Of several processes only the leader may write; the fault runs see when another one does."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.faults.boundaries import Boundary, is_of_the_election
from tests.support.faults.traffic import LAST_WATCH, REPEATED, Traffic

RENEWAL = "PUT leases operator/operator"
WRITE = "PATCH secrets shop/orders"


@pytest.fixture
def traffic() -> Traffic:
    """Return the traffic of two processes, the first of which leads."""
    made = Traffic(replicas=2)
    for life in (0, 1):
        made.start(life)
        made.watch(life, LAST_WATCH)
    made.leads(0)
    made.begin()
    return made


def write(traffic: Traffic, life: int, what: str) -> Boundary | None:
    traffic.note(life, "kubernetes", what, is_write=True)
    return traffic.passes(life, "kubernetes", "write", what)


def test_a_write_of_a_process_that_stands_by_is_named(traffic: Traffic) -> None:
    write(traffic, 0, WRITE)
    write(traffic, 1, RENEWAL)
    assert traffic.strays == []
    write(traffic, 1, WRITE)
    assert traffic.strays == [f"process 1 wrote while 0 led: {WRITE}"]


def test_a_write_after_the_lease_was_released_is_named(traffic: Traffic) -> None:
    traffic.leads(None)
    write(traffic, 0, WRITE)
    assert traffic.strays == [f"process 0 wrote while None led: {WRITE}"]


def test_a_single_process_leads_from_its_start() -> None:
    traffic = Traffic()
    for life in (0, 1):
        traffic.start(life)
        write(traffic, life, WRITE)
    assert traffic.leader == 1
    assert traffic.strays == []


def test_boundaries_are_those_of_the_leader_and_a_bounded_number_of_the_election(traffic: Traffic) -> None:
    assert write(traffic, 1, WRITE) is None
    assert write(traffic, 0, WRITE) == Boundary("kubernetes", "write", WRITE)
    for life in (0, 1, 0, 1):
        write(traffic, life, RENEWAL)
    renewals = [boundary for boundary in traffic.boundaries if is_of_the_election(boundary.what)]
    assert [boundary.number for boundary in renewals] == list(range(REPEATED))
    assert all(boundary.may_merge for boundary in renewals)


def test_a_poll_is_a_bounded_number_of_boundaries() -> None:
    traffic = Traffic(polls=frozenset({"LIST things"}))
    traffic.start(0)
    traffic.begin()
    for _ in range(REPEATED + 1):
        traffic.passes(0, "kubernetes", "list", "LIST things")
    assert [boundary.number for boundary in traffic.boundaries] == list(range(REPEATED))


async def test_it_is_not_quiet_while_none_leads(traffic: Traffic) -> None:
    assert await traffic.quiet(0.01, 1.0) is None
    traffic.ended(0)
    traffic.start(2)
    traffic.watch(2, LAST_WATCH)
    assert await traffic.quiet(0.01, 0.1) is not None
    traffic.leads(1)
    assert await traffic.quiet(0.01, 1.0) is None


async def test_renewals_are_part_of_the_quiet(traffic: Traffic) -> None:
    await asyncio.sleep(0.05)
    write(traffic, 0, RENEWAL)
    assert await traffic.quiet(0.05, 0.0) is None
    assert traffic.writes_since(0) == []
