"""Two pairs never share a name, and every name fits where it is used."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.policies.readiness import USERNAME
from integration_operator.runtime.ref import Ref

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
spaces = st.from_regex(r"[a-z]([a-z0-9-]{0,58}[a-z0-9])?", fullmatch=True)
subdomains = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,200}[a-z0-9])?", fullmatch=True).filter(lambda n: ".." not in n)
kinds = st.sampled_from(("Syndesis", "Integration"))
pairs = st.builds(lambda a, b, c, d, k: Pair(Ref(a, b), Ref(c, d), k), labels, spaces, labels, subdomains, kinds)


@given(pairs, pairs)
@example(Pair(Ref("a-b", "c"), Ref("n", "s")), Pair(Ref("a", "b-c"), Ref("n", "s")))
@example(Pair(Ref("a", "b"), Ref("n", "s")), Pair(Ref("a", "b"), Ref("n", "s"), "Integration"))
@example(Pair(Ref("a", "b"), Ref("n", "s" * 240)), Pair(Ref("a", "b"), Ref("n", "s" * 240), "Integration"))
def test_two_pairs_share_no_name(one: Pair, two: Pair) -> None:
    if one == two:
        return
    assert naming.integration_label(one) != naming.integration_label(two)
    if one.syndesis.namespace == two.syndesis.namespace:
        assert naming.secret_name(one) != naming.secret_name(two)
        if one.kind == two.kind:
            assert naming.integration_name(one) != naming.integration_name(two)
    if one.space == two.space:
        assert naming.username(one) != naming.username(two)
        assert naming.user_ref(one) != naming.user_ref(two)


@given(pairs)
def test_every_name_fits(pair: Pair) -> None:
    assert re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", naming.integration_label(pair))
    assert len(naming.secret_name(pair)) <= 253
    assert re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", naming.integration_name(pair))
    assert USERNAME.fullmatch(naming.username(pair))
    assert naming.user_ref(pair).name.partition(".")[0] == pair.space.name


def test_a_name_is_readable() -> None:
    pair = Pair(Ref("shop", "orders"), Ref("fuse", "syndesis"))
    assert naming.integration_name(pair) == "shop.orders.syndesis"
    assert naming.integration_label(pair) == "shop.orders.fuse.syndesis"
    assert naming.username(pair).startswith("fuse-syndesis-")
    binding = Pair(pair.space, Ref("apps", "checkout"), "Integration")
    assert naming.secret_name(binding) == "shop.orders.checkout-binding"
    assert re.fullmatch(r"apps-checkout-[0-9a-f]{20}", naming.username(binding))


def test_of_a_name_that_was_cut_the_hash_cannot_be_found_by_trying() -> None:
    """A tenant chooses the rest of a name; 80 bits of the hash stand between it and another pair's name or mark."""
    long = "production-messaging-of-team-europe"
    pair = Pair(Ref(long, "orders-and-payments"), Ref(long, "syndesis-of-the-integrations"))
    for name in (naming.integration_label(pair), *naming.usernames(pair)):
        assert len(name) <= 63
        assert re.fullmatch(r".*-[0-9a-f]{20}", name)
    assert re.fullmatch(r".*-[0-9a-f]{20}", naming.integration_name(Pair(pair.space, Ref("fuse", "s" * 240))))


@given(pairs)
def test_nobody_may_choose_a_name_that_may_be_generated(pair: Pair) -> None:
    for name in naming.usernames(pair):
        assert naming.GENERATED_USERNAME.fullmatch(name)


def test_the_names_of_the_proof_of_concept_are_understood() -> None:
    assert naming.space_of_proof_of_concept("enmasse-orders-to-fuse") == "orders"
    assert naming.space_of_proof_of_concept(naming.proof_of_concept_name(Ref("shop", "a-to-fuse"))) == "a-to-fuse"
    for other in ("orders", "enmasse--to-fuse", "enmasse-orders-to-fuse-2", "my-enmasse-orders-to-fuse"):
        assert naming.space_of_proof_of_concept(other) is None
