"""A delivered pair stays, and its conditions say what is wrong now: nothing falls back to something worse."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration_operator.controllers.integration.dry_run import DryRun
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Apply, Delete, DeleteRemote, EnsureRemote, SetFinalizer
from integration_operator.domain.model.conditions import summarize
from integration_operator.domain.model.facts import Facts, ForeignObject, PlanSettings
from integration_operator.domain.plan.plan import Plan, plan_pair
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.domain.policies.readiness import can_serve, transport
from integration_operator.platforms.address_space import address_space
from integration_operator.rendering.templates import TemplateFiles
from tests.support.builders import integration, report, space, syndesis
from tests.support.changed_facts import changed_facts
from tests.support.dry_runs import dry_run

TEMPLATES = TemplateFiles()
RULES = ("same-namespace",)


def settled(**spec: Any) -> tuple[DryRun, Facts]:
    """Return a delivered pair, with the status that says so."""
    snapshot = dry_run([space(), syndesis(), integration(enabled=True, **spec)], RULES)
    (pair,) = snapshot.pairs()
    _, decision = snapshot.settle(pair, TEMPLATES)
    report(snapshot, pair, decision)
    return snapshot, snapshot.facts(pair)


def reasons(decision: Plan) -> dict[str, str]:
    return {f.type: f.reason for f in decision.conditions or ()}


def made(decision: Plan) -> list[str]:
    return [a.kind for a in decision.actions if isinstance(a, (Apply, EnsureRemote))]


@pytest.mark.parametrize("connection", ["native", "rest"])
@pytest.mark.parametrize(
    ("change", "side", "reason"),
    [
        ({"ready": False, "messages": ("broker is down",)}, "UserReady", "AddressSpaceNotReady"),
        ({"defects": ("status is not an object",)}, "UserReady", "AddressSpaceMalformed"),
        ({"authentication_type": "none"}, "UserReady", "NoAuthenticationService"),
        ({"endpoint": None}, "ConnectionReady", "NoMessagingEndpoint"),
    ],
)
def test_a_space_that_gets_worse_is_said_and_tears_nothing_down(
    connection: str, change: dict[str, Any], side: str, reason: str
) -> None:
    _, facts = settled(delivery={"connection": connection})
    assert facts.space is not None
    decision = plan_pair(replace(facts, space=replace(facts.space, **change)), TEMPLATES)
    assert decision.actions == ()
    assert reasons(decision)[side] == reason
    ready = summarize(decision.conditions or ())[0]
    assert (ready.status, ready.reason) == ("False", reason)


def test_a_syndesis_that_is_not_installed_any_more_is_said() -> None:
    _, facts = settled()
    assert facts.syndesis is not None
    decision = plan_pair(replace(facts, syndesis=replace(facts.syndesis, phase="Starting")), TEMPLATES)
    assert decision.actions == ()
    assert reasons(decision)["ConnectionReady"] == "SyndesisNotInstalled"


@pytest.mark.parametrize("connection", ["native", "rest"])
@pytest.mark.parametrize("lost", ["certificate", "port"])
def test_tls_never_becomes_plain_text_because_a_fact_is_missing(connection: str, lost: str) -> None:
    _, facts = settled(delivery={"connection": connection})
    assert facts.space is not None
    assert facts.space.endpoint is not None
    assert facts.integration is not None
    assert (facts.integration.delivered_uri or "").startswith("amqps://")
    plain = replace(facts.space.endpoint, ports=(("amqp", 5672),))
    change = {"certificate": None} if lost == "certificate" else {"endpoint": plain}
    without = replace(facts, space=replace(facts.space, **change))
    decision = plan_pair(without, TEMPLATES)
    assert decision.actions == ()
    assert reasons(decision)["ConnectionReady"] == "TLSNotAvailable"
    assert decision.delivered.connection is not None
    assert decision.delivered.connection.uri == facts.integration.delivered_uri, (
        "the status goes on saying where it leads"
    )

    document = facts.integration.live.document
    disabled = parse_integration({**document, "spec": {**document["spec"], "tls": "disabled"}})
    by_word = plan_pair(replace(without, integration=disabled), TEMPLATES)
    assert "Connection" in made(by_word), "only the receiver's own word makes it plain text"


def test_a_space_without_a_usable_port_gets_no_user() -> None:
    one = address_space(space(ports=({"name": "amqp-wss", "port": 443},)))
    snapshot = dry_run(
        [space(ports=({"name": "amqp-wss", "port": 443},)), syndesis(), integration(enabled=True)], RULES
    )
    (pair,) = snapshot.pairs()
    actions, decision = snapshot.settle(pair, TEMPLATES)
    assert [a.kind for a in actions if a.kind != "Integration"] == []
    assert reasons(decision)["CredentialsReady"] == "NoPort"
    assert transport(one, "auto").reason == "NoPort"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("service", "known", "serves"),
    [
        ({"name": "standard"}, None, True),
        ({"name": "standard", "type": "none"}, None, False),
        ({"name": "standard", "type": "external"}, None, False),
        ({"name": "mine"}, "none", False),
        ({"name": "mine", "type": "standard"}, "standard", True),
        ({"type": "none"}, None, False),
    ],
)
def test_both_name_and_type_of_the_authentication_service_count(
    service: dict[str, str], known: str | None, serves: bool
) -> None:
    document = space()
    document["spec"]["authenticationService"] = service
    assert bool(can_serve(address_space(document), known)) is serves


def test_sides_go_on_independently() -> None:
    _, facts = settled(delivery={"connection": "rest"})
    assert facts.space is not None
    moved = replace(facts.space, endpoint=replace(facts.space.endpoint, host="moved.svc"))  # type: ignore[type-var]
    terminating = {**facts.children.user.document["metadata"], "deletionTimestamp": "2024-01-01T00:00:00Z"}  # type: ignore[union-attr]
    user = replace(facts.children.user, document={**facts.children.user.document, "metadata": terminating})  # type: ignore[type-var, union-attr]
    decision = plan_pair(changed_facts(facts, space=moved, user=user), TEMPLATES)
    assert reasons(decision)["UserReady"] == "UserTerminating"
    assert made(decision) == ["Secret", "Connection"], "a new endpoint does not wait for the user"


def test_without_a_login_there_is_no_connection() -> None:
    _, facts = settled()
    ref = naming.user_ref(facts.pair)
    taken = ForeignObject("MessagingUser", ref, "our field manager did not apply it")
    decision = plan_pair(changed_facts(facts, user=None, connection=None, foreign=(taken,)), TEMPLATES)
    assert made(decision) == []
    assert reasons(decision)["UserReady"] == "NameTaken"
    assert reasons(decision)["ConnectionReady"] == "Waiting"


def test_a_secret_that_holds_the_credential_holds_nothing_up() -> None:
    _, facts = settled()
    assert facts.children.secret is not None
    metadata = {**facts.children.secret.document["metadata"], "labels": {}}
    relabelled = replace(facts.children.secret, document={**facts.children.secret.document, "metadata": metadata})
    (apply,) = [a for a in plan_pair(changed_facts(facts, secret=relabelled), TEMPLATES).actions if a.kind == "Secret"]
    assert isinstance(apply, Apply)
    assert not apply.first
    (new, *_) = plan_pair(changed_facts(facts, secret=None, user=None, connection=None), TEMPLATES).actions
    assert isinstance(new, Apply)
    assert new.first, "no other system sees a credential that is not stored"


def test_another_way_of_making_the_user_makes_the_new_login_before_it_deletes_the_old() -> None:
    snapshot, facts = settled()
    snapshot.gatherer.settings = PlanSettings(rules=RULES, allow_keycloak=True)
    pair, first = facts.pair, naming.username(facts.pair)
    assert facts.integration is not None
    snapshot.merge("Integration", facts.integration.ref, {"spec": {"delivery": {"user": "keycloak"}}})

    actions, decision = snapshot.settle(pair, TEMPLATES)
    order = [(type(a).__name__, a.kind) for a in actions if not isinstance(a, SetFinalizer)]
    deliver, delete = order.index(("EnsureRemote", "MessagingUser")), order.index(("Delete", "MessagingUser"))
    recorded, moved, *_ = (number for number, action in enumerate(order) if action == ("Apply", "Secret"))
    assert recorded < deliver < moved < delete, order
    (made_over_rest,) = [a for a in actions if isinstance(a, EnsureRemote) and a.kind == "MessagingUser"]
    (gone,) = [a for a in actions if isinstance(a, Delete)]
    assert made_over_rest.username == naming.other_username(pair, first)
    assert gone.ref == naming.user_ref(pair, first)
    after = snapshot.facts(pair)
    assert after.login.username == made_over_rest.username
    assert reasons(decision)["UserReady"] == "UserReady"

    snapshot.merge("Integration", facts.integration.ref, {"spec": {"delivery": {"user": "native"}}})
    back, decision = snapshot.settle(pair, TEMPLATES)
    assert not [a for a in back if isinstance(a, DeleteRemote)], "EnMasse takes the same login over"
    assert snapshot.facts(pair).login.username == made_over_rest.username
    assert decision.actions == ()


def test_keycloak_is_the_administrators_to_allow() -> None:
    _, facts = settled()
    assert facts.integration is not None
    document = facts.integration.live.document
    asked = parse_integration({**document, "spec": {**document["spec"], "delivery": {"user": "keycloak"}}})
    decision = plan_pair(changed_facts(facts, integration=asked, allow_keycloak=False), TEMPLATES)
    assert decision.actions == (), "the login stays as it is"
    (said,) = [f for f in decision.conditions or () if f.type == "DeliveryChosen"]
    assert (said.status, said.reason) == ("False", "KeycloakNotAllowed")
    assert "allow_keycloak" in said.message
