"""The bounds on what the operator does by itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integration_operator.controllers.integration.guards import (
    FORGIVEN,
    MAX_CREATION_DELAY,
    MIN_VANISHED,
    REPAIRS,
    WINDOW,
    CreationLimit,
    MassDeletionGuard,
    OfferLimit,
    RepairLimit,
    TeardownLimit,
)
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.clocks import Clock

DOCS = Path(__file__).parents[2] / "docs"


def refs(count: int) -> list[Ref]:
    return [Ref("n", str(number)) for number in range(count)]


@pytest.mark.parametrize(
    ("known", "left", "held"),
    [
        (100, 100, 0),
        (100, 51, 0),
        (100, 50, 0),
        (100, 49, 51),
        (100, 0, 100),
        (MIN_VANISHED, 0, MIN_VANISHED),
        (MIN_VANISHED - 1, 0, 0),
        (0, 0, 0),
    ],
)
def test_how_many_may_vanish_in_one_list(known: int, left: int, held: int) -> None:
    guard = MassDeletionGuard(0.5)
    assert guard.compare("AddressSpace", refs(known), refs(known)[:left]) == held
    assert guard.holds("AddressSpace", Ref("n", str(known - 1))) == bool(held)
    assert not guard.holds("Syndesis", Ref("n", str(known - 1)))


def test_what_is_back_is_let_go() -> None:
    guard = MassDeletionGuard(0.5)
    guard.compare("AddressSpace", refs(20), [])
    guard.observe("AddressSpace", Ref("n", "3"))
    assert not guard.holds("AddressSpace", Ref("n", "3"))
    assert guard.holds("AddressSpace", Ref("n", "4"))
    assert guard.compare("AddressSpace", refs(20), refs(20)) == 0
    assert not guard.holds("AddressSpace", Ref("n", "4"))


def test_what_is_held_stays_held_when_few_are_left_to_refer() -> None:
    guard = MassDeletionGuard(0.5)
    guard.compare("AddressSpace", refs(20), [])
    assert guard.compare("AddressSpace", refs(2), []) == 2


def test_repairs_in_a_sliding_window() -> None:
    limit, ref = RepairLimit(), Ref("n", "a")
    wish: dict[str, Any] = {"spec": {"uri": "amqp://a"}}
    for number in range(REPAIRS):
        assert limit.wait("Secret", ref, wish, float(number)) == 0.0
    assert limit.wait("Secret", ref, wish, 10.0) == WINDOW - 10.0
    assert limit.wait("Connection", ref, wish, 10.0) == 0.0
    assert limit.wait("Secret", ref, wish, WINDOW) == 0.0
    assert limit.wait("Secret", ref, wish, WINDOW) == 1.0
    limit.forget("Secret", ref)
    assert limit.wait("Secret", ref, wish, WINDOW) == 0.0


def test_an_object_is_repaired_as_often_as_the_page_says() -> None:
    limit, wish = RepairLimit(), {"spec": {"uri": "amqp://a"}}
    repairs = sum(limit.wait("Secret", Ref("n", "a"), wish, now / 2) == 0.0 for now in range(120))
    assert f"| repairs of one object | {repairs} a minute |" in (DOCS / "security.md").read_text()


def test_a_changed_wish_of_our_own_is_no_repair() -> None:
    limit, ref = RepairLimit(), Ref("n", "a")
    for number in range(10 * REPAIRS):
        assert limit.wait("Connection", ref, {"spec": {"uri": f"amqp://{number}"}}, 1.0) == 0.0


@pytest.mark.parametrize(("there", "exhausted"), [(0, False), (2, False), (3, True), (4, True)])
def test_offers_from_other_namespaces_are_bounded(there: int, exhausted: bool) -> None:
    limit = OfferLimit(lambda namespace: there, most=3)
    assert limit.exhausted(Pair(Ref("shop", "orders"), Ref("fuse", "syndesis"))) is exhausted
    assert limit.exhausted_namespaces == ({"fuse"} if exhausted else set())
    assert not limit.exhausted(Pair(Ref("fuse", "orders"), Ref("fuse", "syndesis"))), "its own are not limited"


def test_each_pair_has_a_turn_to_be_taken_down() -> None:
    clock = Clock()
    limit = TeardownLimit(60, clock)
    pairs = [Pair(ref, Ref("fuse", "syndesis")) for ref in refs(63)]
    assert [limit.wait(pair) for pair in pairs] == [0.0] * 60 + [1.0, 2.0, 3.0]
    assert [limit.wait(pair) for pair in pairs[60:]] == [1.0, 2.0, 3.0], "asking again changes no turn"
    clock.now = 2.0
    assert [limit.wait(pair) for pair in pairs[60:]] == [0.0, 0.0, 1.0]
    limit.forget(pairs[60])
    assert limit.wait(pairs[60]) > 0, "a pair that came back and went again has a new turn"


def test_without_a_limit_none_waits() -> None:
    limit = TeardownLimit(0, Clock())
    assert {limit.wait(Pair(ref, ref)) for ref in refs(5000)} == {0.0}


def test_what_others_delete_is_created_again_later_each_time() -> None:
    limit, ref, clock, delays = CreationLimit(), Ref("n", "a"), 1000.0, []
    for _ in range(10):
        delays.append(limit.wait("Secret", ref, clock))
        clock += delays[-1]
        limit.note("Secret", ref, clock)
    assert delays == [0.0, 0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, MAX_CREATION_DELAY, MAX_CREATION_DELAY]
    assert limit.times("Secret", ref) == 10
    assert limit.wait("Secret", Ref("n", "b"), clock) == 0.0
    limit.forget("Secret", ref)
    assert limit.wait("Secret", ref, clock) == 0.0


def test_what_stayed_for_long_is_created_again_at_once() -> None:
    limit, ref = CreationLimit(), Ref("n", "a")
    for _ in range(5):
        limit.note("Secret", ref, 0.0)
    assert limit.wait("Secret", ref, 1.0) == 7.0
    limit.note("Secret", ref, FORGIVEN)
    assert limit.times("Secret", ref) == 1
    limit.note("Secret", Ref("n", "b"), 2 * FORGIVEN + 1.0)
    assert limit.times("Secret", ref) == 0
