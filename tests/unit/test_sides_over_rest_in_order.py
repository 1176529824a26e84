"""State over REST: never without the finalizer, taken down in order, handed over and back without two or none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.controllers.integration.dry_run import DryRun
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Apply, Delete, DeleteRemote, EnsureRemote, Release, SetFinalizer
from integration_operator.domain.model.facts import Facts, PlanSettings
from integration_operator.domain.model.remote_state import Presence, RemoteSides, RemoteState
from integration_operator.domain.plan.plan import Plan, plan_pair
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.rendering.templates import TemplateFiles
from tests.support.builders import integration, report, space, syndesis
from tests.support.changed_facts import changed_facts
from tests.support.dry_runs import dry_run

TEMPLATES = TemplateFiles()
REST = {"connection": "rest"}


def snapshot_of(delivery: dict[str, str], **spec: Any) -> DryRun:
    return dry_run([space(), syndesis(), integration(enabled=True, delivery=delivery, **spec)], ("same-namespace",))


def settled(delivery: dict[str, str], **spec: Any) -> Facts:
    """Return the facts of a pair that is delivered so."""
    snapshot = snapshot_of(delivery, **spec)
    (pair,) = snapshot.pairs()
    _, decision = snapshot.settle(pair, TEMPLATES)
    report(snapshot, pair, decision)
    facts = snapshot.facts(pair)
    assert plan_pair(facts, TEMPLATES).actions == ()
    return facts


def changed(facts: Facts, *, finalizers: list[str] | None = None, **spec: Any) -> Facts:
    """Return the same pair with another Integration."""
    assert facts.integration is not None
    document = facts.integration.live.document
    metadata = dict(document["metadata"])
    if finalizers is not None:
        metadata["finalizers"] = finalizers
    if spec.pop("deleting", False):
        metadata["deletionTimestamp"] = "2024-01-02T00:00:00Z"
    written = {**document, "metadata": metadata, "spec": {**document["spec"], **spec}}
    return replace(facts, integration=parse_integration(written))


def kinds_of(decision: Plan, *types: type) -> list[tuple[str, str]]:
    return [(type(a).__name__, a.kind) for a in decision.actions if isinstance(a, types or (object,))]


def test_the_finalizer_comes_before_the_first_request() -> None:
    snapshot = snapshot_of({"user": "keycloak", "connection": "rest"})
    (pair,) = snapshot.pairs()
    actions, _ = snapshot.settle(pair, TEMPLATES)
    order = [(type(a).__name__, a.kind) for a in actions if not isinstance(a, Apply) or a.kind == "Secret"]
    assert order == [
        ("Apply", "Secret"),
        ("SetFinalizer", "Integration"),
        ("EnsureRemote", "MessagingUser"),
        ("EnsureRemote", "Connection"),
    ]


def test_the_finalizer_names_the_user_that_is_about_to_be_created() -> None:
    """A process that is killed has no time to report the user; then the delivery changes, and the pair ends."""
    snapshot = snapshot_of({"user": "keycloak", "connection": "native"})
    (pair,) = snapshot.pairs()
    first = snapshot.plan(pair, TEMPLATES)
    (finalizer,) = (action for action in first.actions if isinstance(action, SetFinalizer))
    assert finalizer.user == f"keycloak/{snapshot.facts(pair).login.username}"
    for action in first.actions:
        if isinstance(action, (Apply, SetFinalizer)):
            snapshot._execute(pair, action)
    integration = snapshot.facts(pair).integration
    assert integration is not None
    native = {"spec": {"enabled": False, "delivery": {"user": "native", "connection": "native"}}}
    snapshot.merge("Integration", integration.ref, native)
    after = DryRun(snapshot.cache, PlanSettings(rules=("same-namespace",))).plan(pair, TEMPLATES)
    deletion = next(action for action in after.actions if isinstance(action, DeleteRemote))
    assert (deletion.kind, deletion.delivery, deletion.username) == (
        "MessagingUser",
        "keycloak",
        snapshot.facts(pair).login.username,
    )


def test_the_finalizer_names_no_user_once_none_is_left() -> None:
    facts = settled({"user": "keycloak", "connection": "rest"})
    assert facts.integration is not None
    assert facts.integration.rest_user
    without_user = replace(facts.remote, user=RemoteState())
    decision = plan_pair(replace(changed(facts, delivery=REST), remote=without_user), TEMPLATES)
    (finalizer,) = (action for action in decision.actions if isinstance(action, SetFinalizer))
    assert (finalizer.present, finalizer.user) == (True, "")


def test_a_finalizer_that_somebody_took_off_is_put_back() -> None:
    decision = plan_pair(changed(settled(REST), finalizers=[]), TEMPLATES)
    assert kinds_of(decision) == [("SetFinalizer", "Integration")]


def test_native_delivery_has_no_finalizer() -> None:
    facts = settled({"connection": "native"})
    assert facts.integration is not None
    assert not facts.integration.holds_rest_state


def test_disabled_is_taken_down_in_order() -> None:
    facts = changed(settled({"user": "keycloak", "connection": "rest"}), enabled=False)
    decision = plan_pair(facts, TEMPLATES)
    assert kinds_of(decision) == [
        ("DeleteRemote", "MessagingUser"),
        ("DeleteRemote", "Connection"),
    ], "the login is closed first; finalizer and Secret stay until both are gone"
    after = plan_pair(changed_facts(facts, remote=RemoteSides(), secret=None), TEMPLATES)
    assert [(a.kind, a.present) for a in after.actions if isinstance(a, SetFinalizer)] == [("Integration", False)]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("syndesis", [("DeleteRemote", "MessagingUser"), ("Release", "Connection")]),
        ("space", [("Release", "MessagingUser"), ("DeleteRemote", "Connection")]),
    ],
)
def test_what_went_with_its_platform_needs_no_request(missing: str, expected: list) -> None:
    facts = replace(settled({"user": "keycloak", "connection": "rest"}), **{missing: None})
    assert kinds_of(plan_pair(facts, TEMPLATES), DeleteRemote, Release) == expected


@pytest.mark.parametrize(
    "unseen",
    [{"absent": frozenset({"AddressSpace"})}, {"upgrading": True, "source": "aggregated"}],
    ids=["its kind is not served", "EnMasse is being upgraded"],
)
def test_a_user_whose_space_is_not_shown_waits_for_it(unseen: dict[str, Any]) -> None:
    facts = changed(settled({"user": "keycloak", "connection": "rest"}), deleting=True)
    facts = changed_facts(facts, space=None, cluster=replace(facts.cluster, **unseen))
    assert ("Release", "MessagingUser") not in kinds_of(plan_pair(facts, TEMPLATES))
    (let_go,) = [
        a for a in plan_pair(changed_facts(facts, overdue=True), TEMPLATES).actions if a.kind == "MessagingUser"
    ]
    assert isinstance(let_go, Release)
    assert let_go.orphaned, "it is named"


def test_retained_state_is_let_go_with_a_deleted_integration() -> None:
    facts = changed(settled(REST, deletionPolicy="Retain"), deleting=True)
    decision = plan_pair(facts, TEMPLATES)
    assert kinds_of(decision, DeleteRemote, Release, Delete) == [("Release", "Connection")]


def test_a_server_that_never_answers_does_not_hold_a_deleted_integration_for_ever() -> None:
    facts = changed_facts(changed(settled(REST), deleting=True), overdue=True)
    (let_go,) = [a for a in plan_pair(facts, TEMPLATES).actions if isinstance(a, Release)]
    assert let_go.orphaned


def test_suspension_does_not_hold_a_deleted_integration() -> None:
    decision = plan_pair(changed(settled(REST), deleting=True, suspend=True), TEMPLATES)
    assert kinds_of(decision, DeleteRemote) == [("DeleteRemote", "Connection")]


def test_to_the_resource_with_the_same_id() -> None:
    facts = changed(settled(REST), delivery={"connection": "native"})
    (apply,) = [a for a in plan_pair(facts, TEMPLATES).actions if isinstance(a, Apply)]
    identifier = naming.connection_id(facts.pair)
    assert apply.document["spec"]["connectionId"] == identifier
    assert not kinds_of(plan_pair(facts, TEMPLATES), DeleteRemote, Release, SetFinalizer), (
        "nothing is let go before it is Ready"
    )

    document = {**apply.document, "metadata": {**apply.document["metadata"], "uid": "1", "generation": 1}}
    for taken, let_go in (("another", []), (identifier, [("Release", "Connection")])):
        ready = {**document, "status": {"phase": "Ready", "connectionId": taken, "observedGeneration": 1}}
        with_connection = changed_facts(facts, connection=_live(ready))
        assert kinds_of(plan_pair(with_connection, TEMPLATES), Release) == let_go
    after = replace(with_connection, remote=RemoteSides())
    assert kinds_of(plan_pair(after, TEMPLATES)) == [("SetFinalizer", "Integration")]


def test_and_back() -> None:
    facts = settled({"connection": "native"})
    assert facts.children.connection is not None
    ready = {**facts.children.connection.document, "status": {"phase": "Ready", "connectionId": "con-1"}}
    facts = changed_facts(changed(facts, delivery=REST), connection=_live(ready))
    decision = plan_pair(facts, TEMPLATES)
    assert kinds_of(decision) == [
        ("Apply", "Connection"),
        ("SetFinalizer", "Integration"),
        ("EnsureRemote", "Connection"),
    ]
    handed, _, deliver = decision.actions
    assert isinstance(handed, Apply)
    assert handed.document["metadata"]["annotations"][names.HANDED_OVER] == "rest"
    assert isinstance(deliver, EnsureRemote)
    assert deliver.remote.id == "con-1"

    kept = RemoteState(
        "rest", Presence.PRESENT, "con-1", deliver.applied, deliver.credentials, platform=deliver.platform
    )
    confirmed = changed_facts(
        changed(facts, finalizers=[names.REST_STATE_FINALIZER]), connection=_live(handed.document | {})
    )
    confirmed = replace(confirmed, remote=RemoteSides(connection=kept))
    assert kinds_of(plan_pair(confirmed, TEMPLATES), Delete) == [("Delete", "Connection")]


def test_a_user_that_enmasse_turned_into_a_resource_is_taken_over() -> None:
    facts = changed(settled({"user": "keycloak", "connection": "native"}), delivery={})
    made_by_enmasse = {
        "apiVersion": "user.enmasse.io/v1beta1",
        "kind": "MessagingUser",
        "metadata": {**naming.user_ref(facts.pair)._asdict(), "uid": "7"},
        "spec": {"username": naming.username(facts.pair), "authentication": {"type": "password"}},
    }
    decision = plan_pair(changed_facts(facts, user=_live(made_by_enmasse)), TEMPLATES)
    (apply,) = [a for a in decision.actions if isinstance(a, Apply) and a.kind == "MessagingUser"]
    assert apply.uid == "7"


def test_what_is_confirmed_is_confirmed_for_one_delivery_and_one_platform() -> None:
    """After a change of either, a backend has to look what is there."""
    facts = settled({"user": "keycloak", "connection": "rest"})
    due = replace(facts.remote, user=replace(facts.remote.user, due=True))
    (read,) = (a for a in plan_pair(replace(facts, remote=due), TEMPLATES).actions if isinstance(a, EnsureRemote))
    assert read.confirmed
    assert not replace(read, delivery="aggregated").confirmed
    assert not replace(read, platform="another").confirmed
    assert not replace(read, credentials="changed").confirmed


def _live(document: dict[str, Any]) -> Any:
    from integration_operator.runtime.live_object import LiveObject

    document["metadata"].setdefault("uid", "1")
    return LiveObject.of({**document, "metadata": dict(document["metadata"])}, names.FIELD_MANAGER)
