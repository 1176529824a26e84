"""State over REST: never without the finalizer, taken down in order, handed over and back without two or none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain import naming
from integration_operator.domain.actions import Apply, Deliver, Finalize, LetGo, Remove, Withdraw
from integration_operator.domain.decisions import Decision, decide
from integration_operator.domain.facts import Facts
from integration_operator.domain.integration import Integration
from integration_operator.domain.remote import Remote, RemoteState
from integration_operator.engine.snapshot import Snapshot
from integration_operator.rendering.templates import TemplateFiles
from tests.support.builders import integration, report, space, syndesis

TEMPLATES = TemplateFiles()
REST = {"connection": "rest"}


def snapshot_of(delivery: dict[str, str], **spec: Any) -> Snapshot:
    return Snapshot([space(), syndesis(), integration(enabled=True, delivery=delivery, **spec)], ("same-namespace",))


def settled(delivery: dict[str, str], **spec: Any) -> Facts:
    """Return the facts of a pair that is delivered so."""
    snapshot = snapshot_of(delivery, **spec)
    (pair,) = snapshot.pairs()
    _, decision = snapshot.settle(pair, TEMPLATES)
    report(snapshot, pair, decision)
    facts = snapshot.gatherer.facts(pair, snapshot.cluster.kinds())
    assert decide(facts, TEMPLATES).actions == ()
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
    return replace(facts, integration=Integration.of(written))


def kinds_of(decision: Decision, *types: type) -> list[tuple[str, str]]:
    return [(type(a).__name__, a.kind) for a in decision.actions if isinstance(a, types or (object,))]


def test_the_finalizer_comes_before_the_first_request() -> None:
    snapshot = snapshot_of({"user": "keycloak", "connection": "rest"})
    (pair,) = snapshot.pairs()
    actions, _ = snapshot.settle(pair, TEMPLATES)
    order = [(type(a).__name__, a.kind) for a in actions if not isinstance(a, Apply) or a.kind == "Secret"]
    assert order == [
        ("Apply", "Secret"),
        ("Finalize", "Integration"),
        ("Deliver", "MessagingUser"),
        ("Deliver", "Connection"),
    ]


def test_a_finalizer_that_somebody_took_off_is_put_back() -> None:
    decision = decide(changed(settled(REST), finalizers=[]), TEMPLATES)
    assert kinds_of(decision) == [("Finalize", "Integration")]


def test_native_delivery_has_no_finalizer() -> None:
    facts = settled({"connection": "native"})
    assert facts.integration is not None
    assert not facts.integration.holds_rest_state


def test_disabled_is_taken_down_in_order() -> None:
    facts = changed(settled({"user": "keycloak", "connection": "rest"}), enabled=False)
    decision = decide(facts, TEMPLATES)
    assert kinds_of(decision) == [
        ("Withdraw", "MessagingUser"),
        ("Withdraw", "Connection"),
    ], "the login is closed first; finalizer and Secret stay until both are gone"
    after = decide(replace(facts, remote=RemoteState(), secret=None), TEMPLATES)
    assert [(a.kind, a.present) for a in after.actions if isinstance(a, Finalize)] == [("Integration", False)]


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("syndesis", [("Withdraw", "MessagingUser"), ("LetGo", "Connection")]),
        ("space", [("LetGo", "MessagingUser"), ("Withdraw", "Connection")]),
    ],
)
def test_what_went_with_its_platform_needs_no_request(missing: str, expected: list) -> None:
    facts = replace(settled({"user": "keycloak", "connection": "rest"}), **{missing: None})
    assert kinds_of(decide(facts, TEMPLATES), Withdraw, LetGo) == expected


@pytest.mark.parametrize(
    "unseen",
    [{"absent": frozenset({"AddressSpace"})}, {"upgrading": True, "source": "aggregated"}],
    ids=["its kind is not served", "EnMasse is being upgraded"],
)
def test_a_user_whose_space_is_not_shown_waits_for_it(unseen: dict[str, Any]) -> None:
    facts = changed(settled({"user": "keycloak", "connection": "rest"}), deleting=True)
    facts = replace(facts, space=None, kinds=replace(facts.kinds, **unseen))
    assert ("LetGo", "MessagingUser") not in kinds_of(decide(facts, TEMPLATES))
    (let_go,) = [a for a in decide(replace(facts, overdue=True), TEMPLATES).actions if a.kind == "MessagingUser"]
    assert isinstance(let_go, LetGo)
    assert let_go.left_behind, "it is named"


def test_retained_state_is_let_go_with_a_deleted_integration() -> None:
    facts = changed(settled(REST, deletionPolicy="Retain"), deleting=True)
    decision = decide(facts, TEMPLATES)
    assert kinds_of(decision, Withdraw, LetGo, Remove) == [("LetGo", "Connection")]


def test_a_server_that_never_answers_does_not_hold_a_deleted_integration_for_ever() -> None:
    facts = replace(changed(settled(REST), deleting=True), overdue=True)
    (let_go,) = [a for a in decide(facts, TEMPLATES).actions if isinstance(a, LetGo)]
    assert let_go.left_behind


def test_suspension_does_not_hold_a_deleted_integration() -> None:
    decision = decide(changed(settled(REST), deleting=True, suspend=True), TEMPLATES)
    assert kinds_of(decision, Withdraw) == [("Withdraw", "Connection")]


def test_to_the_resource_with_the_same_id() -> None:
    facts = changed(settled(REST), delivery={"connection": "native"})
    (apply,) = [a for a in decide(facts, TEMPLATES).actions if isinstance(a, Apply)]
    identifier = naming.connection_id(facts.pair)
    assert apply.document["spec"]["connectionId"] == identifier
    assert not kinds_of(decide(facts, TEMPLATES), Withdraw, LetGo, Finalize), "nothing is let go before it is Ready"

    document = {**apply.document, "metadata": {**apply.document["metadata"], "uid": "1", "generation": 1}}
    for taken, let_go in (("another", []), (identifier, [("LetGo", "Connection")])):
        ready = {**document, "status": {"phase": "Ready", "connectionId": taken, "observedGeneration": 1}}
        with_connection = replace(facts, connection=_live(ready))
        assert kinds_of(decide(with_connection, TEMPLATES), LetGo) == let_go
    after = replace(with_connection, remote=RemoteState())
    assert kinds_of(decide(after, TEMPLATES)) == [("Finalize", "Integration")]


def test_and_back() -> None:
    facts = settled({"connection": "native"})
    assert facts.connection is not None
    ready = {**facts.connection.document, "status": {"phase": "Ready", "connectionId": "con-1"}}
    facts = replace(changed(facts, delivery=REST), connection=_live(ready))
    decision = decide(facts, TEMPLATES)
    assert kinds_of(decision) == [("Apply", "Connection"), ("Finalize", "Integration"), ("Deliver", "Connection")]
    handed, _, deliver = decision.actions
    assert isinstance(handed, Apply)
    assert handed.document["metadata"]["annotations"][names.HANDED_OVER] == "rest"
    assert isinstance(deliver, Deliver)
    assert deliver.known.id == "con-1"

    kept = Remote("rest", True, "con-1", deliver.applied, deliver.credentials, platform=deliver.platform)
    confirmed = replace(changed(facts, finalizers=[names.REST_STATE_FINALIZER]), connection=_live(handed.document | {}))
    confirmed = replace(confirmed, remote=RemoteState(connection=kept))
    assert kinds_of(decide(confirmed, TEMPLATES), Remove) == [("Remove", "Connection")]


def test_a_user_that_enmasse_turned_into_a_resource_is_taken_over() -> None:
    facts = changed(settled({"user": "keycloak", "connection": "native"}), delivery={})
    made_by_enmasse = {
        "apiVersion": "user.enmasse.io/v1beta1",
        "kind": "MessagingUser",
        "metadata": {**naming.user_ref(facts.pair)._asdict(), "uid": "7"},
        "spec": {"username": naming.username(facts.pair), "authentication": {"type": "password"}},
    }
    decision = decide(replace(facts, user=_live(made_by_enmasse)), TEMPLATES)
    (apply,) = [a for a in decision.actions if isinstance(a, Apply) and a.kind == "MessagingUser"]
    assert apply.uid == "7"


def _live(document: dict[str, Any]) -> Any:
    from integration_operator.domain.live import Live

    document["metadata"].setdefault("uid", "1")
    return Live.of({**document, "metadata": dict(document["metadata"])})
