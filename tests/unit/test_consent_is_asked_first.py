"""Access that the giver or the receiver withdrew ends at once, whatever else is the matter with the pair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Apply, Delete, DeleteRemote, EnsureRemote, Release
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.facts import Facts
from integration_operator.domain.plan.plan import Plan, plan_pair
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.rendering.templates import TemplateFiles
from tests.support.builders import integration, space, syndesis
from tests.support.changed_facts import changed_facts
from tests.support.dry_runs import dry_run

RULES = ("same-namespace", "allowed-namespaces")
TEMPLATES = TemplateFiles()
ALLOWED, OPERATIONS = "integreatly.org/allowed-namespaces", "integreatly.org/allowed-operations"
WITHDRAWN = Check.failure("NamespaceNotAllowed", "not allowed")


def delivered(annotations: dict[str, str] | None = None, **spec: Any) -> Facts:
    """Return the facts of a delivered pair across namespaces."""
    written = integration("fuse", enabled=True, **spec)
    snapshot = dry_run([space(annotations={ALLOWED: "fuse", **(annotations or {})}), syndesis("fuse"), written], RULES)
    (pair,) = snapshot.pairs()
    snapshot.settle(pair, TEMPLATES)
    return snapshot.facts(pair)


def changed(facts: Facts, *, deleting: bool = False, problem: str | None = None, **spec: Any) -> Facts:
    assert facts.integration is not None
    document = facts.integration.live.document
    metadata = dict(document["metadata"])
    if deleting:
        metadata["deletionTimestamp"] = "2024-01-02T00:00:00Z"
    written = parse_integration({**document, "metadata": metadata, "spec": {**document["spec"], **spec}})
    return replace(facts, integration=replace(written, problem=problem))


def deleted(decision: Plan) -> list[str]:
    return [a.kind for a in decision.actions if isinstance(a, (Delete, DeleteRemote))]


def finding(decision: Plan, type_: str) -> Any:
    return next(f for f in decision.conditions or () if f.type == type_)


@pytest.mark.parametrize(
    "state",
    [
        lambda facts: facts,
        lambda facts: changed(facts, suspend=True),
        lambda facts: changed(facts, enabled=False),
        lambda facts: changed(facts, deletionPolicy="Retain"),
        lambda facts: changed(facts, deletionPolicy="Retain", deleting=True),
        lambda facts: changed(facts, problem="spec is odd"),
        lambda facts: replace(facts, integration=None),
        lambda facts: changed_facts(facts, mass_deletion=True),
        lambda facts: changed_facts(
            facts, cluster=replace(facts.cluster, out_of_sync=frozenset({"Connection", "Secret"}))
        ),
    ],
    ids=[
        "plain",
        "suspended",
        "disabled",
        "retain",
        "deleted with retain",
        "malformed",
        "no Integration",
        "held",
        "outage",
    ],
)
def test_withdrawn_consent_closes_the_login(state: Any) -> None:
    facts = changed_facts(state(delivered()), pairing=WITHDRAWN)
    assert deleted(plan_pair(facts, TEMPLATES))[:1] == ["MessagingUser"]


def test_what_is_not_known_withdraws_nothing() -> None:
    facts = changed_facts(delivered(), pairing=WITHDRAWN)
    for kind in ("AddressSpace", "Syndesis"):
        unsure = changed_facts(facts, cluster=replace(facts.cluster, out_of_sync=frozenset({kind})))
        assert plan_pair(unsure, TEMPLATES).actions == ()


def test_a_login_over_rest_is_not_retained_across_namespaces() -> None:
    facts = changed(
        delivered(delivery={"user": "keycloak", "connection": "rest"}, deletionPolicy="Retain"), deleting=True
    )
    kinds = [
        (type(a).__name__, a.kind)
        for a in plan_pair(facts, TEMPLATES).actions
        if isinstance(a, (DeleteRemote, Release))
    ]
    assert kinds == [("DeleteRemote", "MessagingUser"), ("Release", "Connection")]


@pytest.mark.parametrize(
    ("allowed", "asked", "granted"),
    [
        (None, ["send"], True),
        (None, ["send", "recv"], True),
        (None, ["manage"], False),
        (None, ["view"], False),
        ("send,recv,view", ["view"], True),
        ("recv", ["send"], False),
        ("recv", ["recv"], True),
        ("", ["recv"], False),
        ("everything", ["recv"], False),
        ("send, recv , manage", ["manage"], True),
    ],
)
def test_the_giver_bounds_what_may_be_asked_for(allowed: str | None, asked: list[str], granted: bool) -> None:
    annotations = {} if allowed is None else {OPERATIONS: allowed}
    authorization = [{"operations": asked, "addresses": ["*"]}]
    facts = delivered(annotations, authorization=authorization)
    assert (facts.children.user is not None) is granted
    said = finding(plan_pair(facts, TEMPLATES), "UserReady")
    assert (said.reason == "AuthorizationNotAllowed") is not granted
    if not granted:
        assert "shop/orders" in said.message
        assert OPERATIONS in said.message


def test_within_one_namespace_nothing_bounds_it() -> None:
    written = integration(enabled=True, authorization=[{"operations": ["manage"], "addresses": ["*"]}])
    snapshot = dry_run([space(), syndesis(), written], RULES)
    (pair,) = snapshot.pairs()
    snapshot.settle(pair, TEMPLATES)
    assert snapshot.facts(pair).children.user is not None


def test_asking_for_more_costs_no_login() -> None:
    facts = changed(delivered(), authorization=[{"operations": ["manage"], "addresses": ["*"]}])
    decision = plan_pair(facts, TEMPLATES)
    assert deleted(decision) == []
    assert finding(decision, "UserReady").reason == "AuthorizationNotAllowed"


def test_a_bound_that_is_narrowed_ends_a_login_beyond_it() -> None:
    facts = delivered({OPERATIONS: "send,recv,manage"}, authorization=[{"operations": ["manage"]}])
    assert facts.space is not None
    narrowed = replace(facts, space=replace(facts.space, allowed_operations=frozenset({"recv"})))
    assert deleted(plan_pair(narrowed, TEMPLATES)) == ["MessagingUser"]


def test_across_namespaces_only_the_receiver_enables() -> None:
    def offered(giver: dict[str, str], receiver: dict[str, str], where: str) -> bool:
        documents = [space(annotations={ALLOWED: "*", **giver}), syndesis(where, annotations=receiver)]
        snapshot = dry_run(documents, RULES, enable_new=False)
        (pair,) = snapshot.pairs()
        actions, _ = snapshot.settle(pair, TEMPLATES)
        return any(isinstance(action, (Apply, EnsureRemote)) and action.kind == "MessagingUser" for action in actions)

    enable = {"integreatly.org/enable-new": "true"}
    assert offered(enable, {}, "shop"), "the giver, within its own namespace"
    assert not offered(enable, {}, "fuse"), "not into another one"
    assert offered({}, enable, "fuse"), "the receiver"
    assert offered({}, enable, "shop")
    assert not offered({}, {}, "fuse")


def test_an_address_space_that_is_gone_looks_like_one_that_does_not_allow_it() -> None:
    facts = delivered()
    snapshot = dry_run([syndesis("fuse"), integration("fuse", enabled=True)], RULES)
    (pair,) = snapshot.pairs()
    absent = plan_pair(snapshot.facts(pair), TEMPLATES)
    unwilling = dry_run([space(), syndesis("fuse"), integration("fuse", enabled=True)], RULES)
    denied = plan_pair(unwilling.facts(pair), TEMPLATES)
    assert absent.conditions == denied.conditions
    assert absent.delivered == denied.delivered
    assert finding(absent, "Paired").reason == "NamespaceNotAllowed"
    assert facts.pair == pair
    assert naming.connection_ref(pair).namespace == "fuse"


@pytest.mark.parametrize("change", [{}, {"deleting": True}, {"ready": False}, {"defects": ("odd",)}])
@pytest.mark.parametrize("source", [None, "crd", "configmap", "aggregated"])
def test_no_status_of_ones_own_tells_whether_it_exists(source: str | None, change: dict[str, Any]) -> None:
    written = integration("fuse", enabled=True)
    if source is not None:
        written["status"] = {"phase": "complete", "delivered": {"source": source}}
    snapshot = dry_run([space(), syndesis("fuse"), written], RULES)
    (pair,) = snapshot.pairs()
    unwilling = snapshot.facts(pair)
    assert unwilling.space is not None
    there = plan_pair(replace(unwilling, space=replace(unwilling.space, **change)), TEMPLATES)
    absent = plan_pair(replace(unwilling, space=None), TEMPLATES)
    assert (there.conditions, there.delivered) == (absent.conditions, absent.delivered)
    assert deleted(there) == deleted(absent) == []
