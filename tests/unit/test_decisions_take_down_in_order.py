"""What is taken down, in which order, and what is left alone: decided from the facts, without a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration_operator.domain.actions import Apply, Remove
from integration_operator.domain.decisions import Decision, decide
from integration_operator.domain.facts import Facts, Kinds, NameTaken
from integration_operator.domain.integration import Integration
from integration_operator.domain.ownership import Owner, Ownership
from integration_operator.domain.standing import Step
from integration_operator.domain.verdict import Verdict
from integration_operator.engine.snapshot import Snapshot
from integration_operator.rendering.templates import TemplateFiles
from tests.support.builders import integration, report, space, syndesis

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
    snapshot = Snapshot(documents, RULES)
    (pair,) = snapshot.pairs()
    _, decision = snapshot.settle(pair, TEMPLATES)
    report(snapshot, pair, decision)
    facts = snapshot.gatherer.facts(pair, snapshot.cluster.kinds())
    assert decide(facts, TEMPLATES).actions == ()
    return facts


def removed(decision: Decision) -> list[str]:
    return [action.kind for action in decision.actions if isinstance(action, Remove)]


def gone(facts: Facts) -> Facts:
    return replace(facts, space=None)


def reason_of(decision: Decision) -> str:
    assert decision.findings is not None
    return decision.findings[0].reason


def test_disabled() -> None:
    facts = delivered()
    assert facts.integration is not None
    spec = facts.integration.spec.model_copy(update={"enabled": False})
    decision = decide(replace(facts, integration=replace(facts.integration, spec=spec)), TEMPLATES)
    assert removed(decision) == DOWN


@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("which", ["space", "syndesis"])
def test_one_of_the_two_is_gone_or_going(across: bool, which: str) -> None:
    facts = delivered(across=across)
    going = replace(facts, **{which: replace(getattr(facts, which), deleting=True)})
    for changed in (replace(facts, **{which: None}), going):
        decision = decide(changed, TEMPLATES)
        assert removed(decision) == [*DOWN, "Integration"]
        assert all(action.uid for action in decision.actions if isinstance(action, Remove))


def test_not_allowed_any_more() -> None:
    decision = decide(replace(delivered(across=True), allowed=Verdict.deny("NamespaceNotAllowed", "")), TEMPLATES)
    assert removed(decision) == [*DOWN, "Integration"]


def test_what_was_put_back_before_its_platforms_waits_for_them() -> None:
    facts = delivered(mine=True)
    assert facts.integration is not None
    document = {key: value for key, value in facts.integration.live.document.items() if key != "status"}
    put_back = replace(facts, integration=Integration.of(document))
    for which in ("space", "syndesis"):
        decision = decide(replace(put_back, **{which: None}), TEMPLATES)
        assert decision.actions == (), "it stood for no pair yet: nothing of it is taken for left behind"


def test_a_persons_integration_stays() -> None:
    decision = decide(gone(delivered(mine=True)), TEMPLATES)
    assert removed(decision) == DOWN
    assert reason_of(decision) == "AddressSpaceNotFound"


def test_a_foreign_object_under_a_name_that_is_needed_stays() -> None:
    facts = delivered()
    assert facts.connection is not None
    taken = NameTaken("Connection", facts.connection.ref, Ownership(Owner.FOREIGN, "another manager applied it"))
    without = gone(replace(facts, connection=None, taken=(taken,)))
    assert removed(decide(without, TEMPLATES)) == ["MessagingUser", "Secret", "Integration"]


def test_what_is_being_deleted_is_not_deleted_twice() -> None:
    facts = delivered()
    assert facts.user is not None
    metadata = {**facts.user.document["metadata"], "deletionTimestamp": "2024-01-01T00:00:00Z"}
    going = replace(facts.user, document={**facts.user.document, "metadata": metadata})
    assert removed(decide(gone(replace(facts, user=going)), TEMPLATES)) == ["Connection", "Secret", "Integration"]


def test_retained_children_stay_without_their_integration() -> None:
    facts = delivered(across=True, deletionPolicy="Retain")
    for child in (facts.secret, facts.connection):
        assert child is not None
        assert child.owners == [], "no owner takes them along"
    offered_again = replace(delivered(across=True), secret=facts.secret, user=facts.user, connection=facts.connection)
    assert offered_again.integration is not None
    spec = offered_again.integration.spec.model_copy(update={"enabled": False})
    disabled = replace(offered_again, integration=replace(offered_again.integration, spec=spec))
    assert removed(decide(disabled, TEMPLATES)) == []
    assert removed(decide(gone(disabled), TEMPLATES)) == [*DOWN, "Integration"], (
        "without its AddressSpace it is of no use"
    )


@pytest.mark.parametrize("kind", ["AddressSpace", "Syndesis", "Integration", "Secret", "MessagingUser", "Connection"])
def test_nothing_is_concluded_from_a_kind_that_is_not_in_sync(kind: str) -> None:
    facts = gone(delivered())
    kinds = replace(facts.kinds, out_of_sync=frozenset({kind}))
    decision = decide(replace(facts, kinds=kinds), TEMPLATES)
    assert (decision.step, decision.actions, decision.findings) == (Step.HOLD, (), None)


@pytest.mark.parametrize("kind", ["AddressSpace", "Syndesis"])
def test_a_platform_that_is_not_served_is_no_reason(kind: str) -> None:
    facts = gone(delivered())
    decision = decide(replace(facts, kinds=Kinds(facts.kinds.api_versions, absent=frozenset({kind}))), TEMPLATES)
    assert decision.actions == ()
    assert reason_of(decision) == f"{kind}NotServed"


def test_an_upgrade_of_enmasse_is_no_reason() -> None:
    facts = gone(delivered())
    kinds = replace(facts.kinds, source="configmap", upgrading=True)
    decision = decide(replace(facts, kinds=kinds), TEMPLATES)
    assert decision.actions == ()
    assert reason_of(decision) == "EnMasseUpgrading"


def test_held() -> None:
    decision = decide(replace(gone(delivered()), held=True), TEMPLATES)
    assert decision.actions == ()
    assert reason_of(decision) == "MassDeletionHeld"


def test_suspended() -> None:
    decision = decide(gone(_suspended()), TEMPLATES)
    assert decision.actions == ()
    said = {f.type: (f.status, f.reason) for f in decision.findings or ()}
    assert said["Paired"] == ("True", "SameNamespace"), "that it is suspended does not make it no pair"
    assert said["UserReady"] == ("Unknown", "Suspended")


def _suspended() -> Facts:
    facts = delivered(mine=True)
    assert facts.integration is not None
    spec = facts.integration.spec.model_copy(update={"suspend": True})
    return replace(facts, integration=replace(facts.integration, spec=spec))


def test_nothing_is_touched_in_a_namespace_that_is_terminating() -> None:
    facts = delivered(across=True)
    assert removed(decide(replace(facts, terminating=frozenset({"fuse"})), TEMPLATES)) == ["MessagingUser"]
    elsewhere = removed(decide(replace(facts, terminating=frozenset({"shop"})), TEMPLATES))
    assert elsewhere == ["Connection", "Secret", "Integration"]


def test_losing_readiness_tears_nothing_down() -> None:
    facts = delivered()
    assert facts.space is not None
    for change in ({"ready": False}, {"endpoint": None}, {"defects": ("odd",)}, {"authentication": "none"}):
        decision = decide(replace(facts, space=replace(facts.space, **change)), TEMPLATES)
        assert decision.actions == (), change
    assert facts.syndesis is not None
    starting = replace(facts, syndesis=replace(facts.syndesis, phase="Starting"))
    assert decide(starting, TEMPLATES).actions == ()


def test_the_secret_is_made_first_and_everything_else_stands_on_it() -> None:
    facts = replace(delivered(), secret=None, user=None, connection=None)
    decision = decide(facts, TEMPLATES)
    assert [action.kind for action in decision.actions] == ["Secret", "MessagingUser", "Connection"]
    assert all(isinstance(action, Apply) and action.uid is None for action in decision.actions)


def test_without_the_user_there_is_no_connection() -> None:
    facts = replace(delivered(), secret=None, user=None, connection=None)
    versions = {kind: version for kind, version in facts.kinds.api_versions.items() if kind != "MessagingUser"}
    decision = decide(replace(facts, kinds=replace(facts.kinds, api_versions=versions)), TEMPLATES)
    assert [action.kind for action in decision.actions] == ["Secret"]
    assert decision.findings is not None
    reasons = [f.reason for f in decision.findings if f.type != "DeliveryChosen"]
    assert reasons == ["SameNamespace", "Stored", "MessagingUserNotServed", "Waiting"]
