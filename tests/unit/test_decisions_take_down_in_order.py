"""What is taken down, in which order, and what is left alone: decided from the facts, without a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration_operator.domain.model.actions import Apply, Delete
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.facts import ClusterFacts, Facts, ForeignObject
from integration_operator.domain.plan.plan import Plan, Step, plan_pair
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.rendering.templates import TemplateFiles
from tests.support.builders import integration, report, space, syndesis
from tests.support.changed_facts import changed_facts
from tests.support.dry_runs import dry_run

RULES = ("same-namespace", "allowed-namespaces")
TEMPLATES = TemplateFiles()
DOWN = ["MessagingUser", "Connection", "Secret"]
"""The login is closed first, the Secret goes last."""


def delivered(*, across: bool = False, mine: bool = False, **spec: Any) -> Facts:
    """Return the facts of a delivered pair, offered unless a user wrote it."""
    where = "fuse" if across else "shop"
    documents = [space(annotations={"integreatly.org/allowed-namespaces": "fuse"}), syndesis(where)]
    if mine or spec:
        documents.append(integration(where, enabled=True, **spec))
    snapshot = dry_run(documents, RULES)
    (pair,) = snapshot.pairs()
    _, decision = snapshot.settle(pair, TEMPLATES)
    report(snapshot, pair, decision)
    facts = snapshot.facts(pair)
    assert plan_pair(facts, TEMPLATES).actions == ()
    return facts


def removed(decision: Plan) -> list[str]:
    return [action.kind for action in decision.actions if isinstance(action, Delete)]


def gone(facts: Facts) -> Facts:
    return replace(facts, space=None)


def reason_of(decision: Plan) -> str:
    assert decision.conditions is not None
    return decision.conditions[0].reason


def test_disabled() -> None:
    facts = delivered()
    assert facts.integration is not None
    spec = facts.integration.spec.model_copy(update={"enabled": False})
    decision = plan_pair(replace(facts, integration=replace(facts.integration, spec=spec)), TEMPLATES)
    assert removed(decision) == DOWN


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("which", ["space", "syndesis"])
def test_one_of_the_two_is_gone_or_going(across: bool, which: str) -> None:
    facts = delivered(across=across)
    going = replace(facts, **{which: replace(getattr(facts, which), deleting=True)})
    for changed in (replace(facts, **{which: None}), going):
        decision = plan_pair(changed, TEMPLATES)
        assert removed(decision) == [*DOWN, "Integration"]
        assert all(action.uid for action in decision.actions if isinstance(action, Delete))


def test_not_allowed_any_more() -> None:
    decision = plan_pair(
        changed_facts(delivered(across=True), pairing=Check.failure("NamespaceNotAllowed", "")), TEMPLATES
    )
    assert removed(decision) == [*DOWN, "Integration"]


def test_what_was_put_back_before_its_platforms_waits_for_them() -> None:
    facts = delivered(mine=True)
    assert facts.integration is not None
    document = {key: value for key, value in facts.integration.live.document.items() if key != "status"}
    put_back = replace(facts, integration=parse_integration(document))
    for which in ("space", "syndesis"):
        decision = plan_pair(replace(put_back, **{which: None}), TEMPLATES)
        assert decision.actions == (), "it stood for no pair yet: nothing of it is taken for left behind"


def test_a_persons_integration_stays() -> None:
    decision = plan_pair(gone(delivered(mine=True)), TEMPLATES)
    assert removed(decision) == DOWN
    assert reason_of(decision) == "AddressSpaceNotFound"


def test_a_foreign_object_under_a_name_that_is_needed_stays() -> None:
    facts = delivered()
    assert facts.children.connection is not None
    taken = ForeignObject("Connection", facts.children.connection.ref, "another manager applied it")
    without = gone(changed_facts(facts, connection=None, foreign=(taken,)))
    assert removed(plan_pair(without, TEMPLATES)) == ["MessagingUser", "Secret", "Integration"]


def test_what_is_being_deleted_is_not_deleted_twice() -> None:
    facts = delivered()
    assert facts.children.user is not None
    metadata = {**facts.children.user.document["metadata"], "deletionTimestamp": "2024-01-01T00:00:00Z"}
    going = replace(facts.children.user, document={**facts.children.user.document, "metadata": metadata})
    assert removed(plan_pair(gone(changed_facts(facts, user=going)), TEMPLATES)) == [
        "Connection",
        "Secret",
        "Integration",
    ]


def test_retained_children_stay_without_their_integration() -> None:
    facts = delivered(across=True, deletionPolicy="Retain")
    for child in (facts.children.secret, facts.children.connection):
        assert child is not None
        assert child.owners == [], "no owner takes them along"
    offered_again = changed_facts(
        delivered(across=True),
        secret=facts.children.secret,
        user=facts.children.user,
        connection=facts.children.connection,
    )
    assert offered_again.integration is not None
    spec = offered_again.integration.spec.model_copy(update={"enabled": False})
    disabled = replace(offered_again, integration=replace(offered_again.integration, spec=spec))
    assert removed(plan_pair(disabled, TEMPLATES)) == []
    assert removed(plan_pair(gone(disabled), TEMPLATES)) == [*DOWN, "Integration"], (
        "without its AddressSpace it is of no use"
    )


@pytest.mark.parametrize("kind", ["AddressSpace", "Syndesis", "Integration", "Secret", "MessagingUser", "Connection"])
def test_nothing_is_concluded_from_a_kind_that_is_not_in_sync(kind: str) -> None:
    facts = gone(delivered())
    kinds = replace(facts.cluster, out_of_sync=frozenset({kind}))
    decision = plan_pair(changed_facts(facts, cluster=kinds), TEMPLATES)
    assert (decision.step, decision.actions, decision.conditions) == (Step.HOLD, (), None)


@pytest.mark.parametrize("kind", ["AddressSpace", "Syndesis"])
def test_a_platform_that_is_not_served_is_no_reason(kind: str) -> None:
    facts = gone(delivered())
    decision = plan_pair(
        changed_facts(facts, cluster=ClusterFacts(facts.cluster.api_versions, absent=frozenset({kind}))), TEMPLATES
    )
    assert decision.actions == ()
    assert reason_of(decision) == f"{kind}NotServed"


def test_an_upgrade_of_enmasse_is_no_reason() -> None:
    facts = gone(delivered())
    kinds = replace(facts.cluster, source="configmap", upgrading=True)
    decision = plan_pair(changed_facts(facts, cluster=kinds), TEMPLATES)
    assert decision.actions == ()
    assert reason_of(decision) == "EnMasseUpgrading"


def test_held() -> None:
    decision = plan_pair(changed_facts(gone(delivered()), mass_deletion=True), TEMPLATES)
    assert decision.actions == ()
    assert reason_of(decision) == "MassDeletionHeld"


def test_suspended() -> None:
    decision = plan_pair(gone(_suspended()), TEMPLATES)
    assert decision.actions == ()
    said = {f.type: (f.status, f.reason) for f in decision.conditions or ()}
    assert said["Paired"] == ("True", "SameNamespace"), "that it is suspended does not make it no pair"
    assert said["UserReady"] == ("Unknown", "Suspended")


def _suspended() -> Facts:
    facts = delivered(mine=True)
    assert facts.integration is not None
    spec = facts.integration.spec.model_copy(update={"suspend": True})
    return replace(facts, integration=replace(facts.integration, spec=spec))


def test_nothing_is_touched_in_a_namespace_that_is_terminating() -> None:
    facts = delivered(across=True)
    assert removed(plan_pair(replace(facts, terminating=frozenset({"fuse"})), TEMPLATES)) == ["MessagingUser"]
    elsewhere = removed(plan_pair(replace(facts, terminating=frozenset({"shop"})), TEMPLATES))
    assert elsewhere == ["Connection", "Secret", "Integration"]


def test_losing_readiness_tears_nothing_down() -> None:
    facts = delivered()
    assert facts.space is not None
    for change in ({"ready": False}, {"endpoint": None}, {"defects": ("odd",)}, {"authentication": "none"}):
        decision = plan_pair(replace(facts, space=replace(facts.space, **change)), TEMPLATES)
        assert decision.actions == (), change
    assert facts.syndesis is not None
    starting = replace(facts, syndesis=replace(facts.syndesis, phase="Starting"))
    assert plan_pair(starting, TEMPLATES).actions == ()


def test_the_secret_is_made_first_and_everything_else_stands_on_it() -> None:
    facts = changed_facts(delivered(), secret=None, user=None, connection=None)
    decision = plan_pair(facts, TEMPLATES)
    assert [action.kind for action in decision.actions] == ["Secret", "MessagingUser", "Connection"]
    assert all(isinstance(action, Apply) and action.uid is None for action in decision.actions)


def test_without_the_user_there_is_no_connection() -> None:
    facts = changed_facts(delivered(), secret=None, user=None, connection=None)
    versions = {kind: version for kind, version in facts.cluster.api_versions.items() if kind != "MessagingUser"}
    decision = plan_pair(changed_facts(facts, cluster=replace(facts.cluster, api_versions=versions)), TEMPLATES)
    assert [action.kind for action in decision.actions] == ["Secret"]
    assert decision.conditions is not None
    reasons = [f.reason for f in decision.conditions if f.type != "DeliveryChosen"]
    assert reasons == ["SameNamespace", "Stored", "MessagingUserNotServed", "Waiting"]
