"""When an AddressSpace and a Syndesis are a pair, and what a user has to do if they are not."""

from __future__ import annotations

import pytest

from integration_operator.domain.model.pair import Pair
from integration_operator.domain.policies.pairing import checks, denied, may_pair
from integration_operator.platforms.address_space import address_space
from integration_operator.platforms.syndesis import syndesis as normalised
from integration_operator.runtime.ref import Ref
from tests.support.builders import space, syndesis

ALLOWED = "integreatly.org/allowed-namespaces"
BY, FOR = "enmasse.io/created-by", "syndesis.io/created-by"
DEFAULT = ("same-namespace", "allowed-namespaces")

CASES = [
    ("one namespace", {}, ("shop", {}), DEFAULT, True, "SameNamespace"),
    ("another namespace", {}, ("fuse", {}), DEFAULT, False, "NamespaceNotAllowed"),
    ("named", {ALLOWED: "fuse"}, ("fuse", {}), DEFAULT, True, "NamespaceAllowed"),
    ("one of several", {ALLOWED: "a, fuse ,b"}, ("fuse", {}), DEFAULT, True, "NamespaceAllowed"),
    ("a pattern", {ALLOWED: "team-*"}, ("team-b", {}), DEFAULT, True, "NamespaceAllowed"),
    ("a pattern of another", {ALLOWED: "team-*"}, ("steam-b", {}), DEFAULT, False, "NamespaceNotAllowed"),
    ("case counts", {ALLOWED: "FUSE"}, ("fuse", {}), DEFAULT, False, "NamespaceNotAllowed"),
    ("an empty annotation", {ALLOWED: " , "}, ("fuse", {}), DEFAULT, False, "NamespaceNotAllowed"),
    ("one creator is no reason by default", {BY: "eve"}, ("fuse", {FOR: "eve"}), DEFAULT, False, "NamespaceNotAllowed"),
    ("one creator, opted in", {BY: "eve"}, ("fuse", {FOR: " eve "}), ("created-by",), True, "SameCreator"),
    ("two creators", {BY: "eve"}, ("fuse", {FOR: "bob"}), ("created-by",), False, "OtherCreator"),
    ("no creator on either", {}, ("fuse", {}), ("created-by",), False, "OtherCreator"),
    ("only the chosen rules", {}, ("shop", {}), ("allowed-namespaces",), False, "NamespaceNotAllowed"),
]


@pytest.mark.parametrize(
    ("annotations", "where", "rules", "paired", "reason"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_rule(annotations: dict, where: tuple, rules: tuple, paired: bool, reason: str) -> None:
    one = address_space(space(annotations=annotations))
    other = normalised(syndesis(where[0], annotations=where[1]))
    verdict = may_pair(one, other, rules)
    assert (verdict.passed, verdict.reason) == (paired, reason)
    assert verdict.message


def test_a_no_says_what_would_make_it_a_yes() -> None:
    verdict = may_pair(address_space(space()), normalised(syndesis("fuse")), DEFAULT)
    assert "must add fuse to its annotation integreatly.org/allowed-namespaces, beside what is in it" in verdict.message


ACCEPTS = "integreatly.org/accept-from"


@pytest.mark.parametrize(
    ("accepts", "accepted"),
    [(None, True), ("shop", True), ("team-*, sh*", True), ("*", True), ("other", False), ("", False), ("Shop", False)],
)
def test_the_receiver_may_limit_from_where_it_accepts_offers(accepts: str | None, accepted: bool) -> None:
    annotations = {} if accepts is None else {ACCEPTS: accepts}
    one = address_space(space(annotations={ALLOWED: "fuse", BY: "eve"}))
    other = normalised(syndesis("fuse", annotations={**annotations, FOR: "eve"}))
    for rules in (DEFAULT, ("created-by",)):
        verdict = may_pair(one, other, rules)
        assert verdict.passed is accepted
        if not accepted:
            assert verdict.reason == "NamespaceNotAccepted"
            assert "must add shop to its annotation integreatly.org/accept-from" in verdict.message
    assert may_pair(one, normalised(syndesis("shop", annotations=annotations)), DEFAULT), "its own needs no word"


@pytest.mark.parametrize("rules", [DEFAULT, ("created-by",), ("same-namespace",), tuple(reversed(DEFAULT))])
def test_a_no_does_not_tell_whether_the_address_space_exists(rules: tuple[str, ...]) -> None:
    receiver = normalised(syndesis("fuse", annotations={FOR: "bob"}))
    absent = denied(Pair(Ref("shop", "orders"), receiver.ref), rules)
    for written in ({}, {BY: "eve"}, {ALLOWED: "team-*,other"}):
        assert may_pair(address_space(space(annotations=written)), receiver, rules) == absent


def test_rules_are_asked_in_order_up_to_the_first_yes() -> None:
    one, other = address_space(space(annotations={ALLOWED: "*"})), normalised(syndesis("shop"))
    assert [name for name, _ in checks(one, other, DEFAULT)] == ["same-namespace"]
    assert [name for name, _ in checks(one, other, tuple(reversed(DEFAULT)))] == ["allowed-namespaces"]
