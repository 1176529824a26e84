"""An Integration with ``spec.consumer: binding`` is its own consumer: user and Secret, and no Syndesis anywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.api.integration import BINDING_ALONE
from integration_operator.controllers.integration.dry_run import DryRun
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Apply, Delete, DeleteRemote, EnsureRemote
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.conditions import summarize
from integration_operator.domain.model.facts import Facts
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import Binding
from integration_operator.domain.plan.plan import Plan, plan_pair
from integration_operator.domain.policies import pairing
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.platforms.address_space import address_space
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.ref import Ref
from tests.support.builders import integration, report, space, syndesis
from tests.support.changed_facts import changed_facts
from tests.support.documents import decoded
from tests.support.dry_runs import dry_run

RULES = ("same-namespace", "allowed-namespaces")
TEMPLATES = TemplateFiles()
ALLOWED = "integreatly.org/allowed-namespaces"
PAIR = Pair(Ref("shop", "orders"), Ref("apps", "checkout"), "Integration")


def binding(namespace: str = "apps", name: str = "checkout", **spec: Any) -> dict[str, Any]:
    """Return an Integration that a user wrote for any workload."""
    document = integration(namespace, name, consumer="binding", enabled=True, **spec)
    del document["spec"]["client"]
    return document


def settled(*others: dict[str, Any], **spec: Any) -> tuple[DryRun, Facts, Plan]:
    """Return a binding across namespaces that is delivered, with the status that says so."""
    snapshot = dry_run([space(annotations={ALLOWED: "apps"}), binding(**spec), *others], RULES)
    _, plan = snapshot.settle(PAIR, TEMPLATES)
    report(snapshot, PAIR, plan)
    return snapshot, snapshot.facts(PAIR), plan


def kinds(plan: Plan) -> list[str]:
    return [action.kind for action in plan.actions]


def test_it_delivers_user_and_secret_only() -> None:
    snapshot, facts, plan = settled()
    assert snapshot.pairs() == [PAIR]
    ready, *conditions = summarize(plan.conditions or ())
    assert (ready.type, ready.status) == ("Ready", "True")
    assert [c.type for c in conditions] == ["Paired", "CredentialsReady", "UserReady", "DeliveryChosen"]
    assert conditions[-1].reason == "NativeUser"
    secret, user = facts.children.secret, facts.children.user
    assert secret is not None
    assert user is not None
    entries = decoded(secret.document)
    assert entries["uri"] == "amqps://messaging.svc:5671"
    assert (entries["username"], secret.document["type"]) == (
        user.document["spec"]["username"],
        "servicebinding.io/amqp",
    )
    assert secret.annotations[names.BINDING_ANNOTATION] == "apps/checkout"
    assert names.SYNDESIS_ANNOTATION not in secret.annotations
    assert facts.integration is not None
    assert facts.integration.bound_secret == naming.secret_name(PAIR) == "shop.orders.checkout-binding"
    assert plan.delivered.uri == entries["uri"]
    assert len(snapshot.cache.connections) == 0


def test_a_syndesis_beside_it_gets_nothing_of_it() -> None:
    snapshot, facts, _ = settled(syndesis("apps"), syndesis("apps", "checkout"))
    assert [pair for pair in snapshot.pairs() if pair.is_binding] == [PAIR]
    assert not [user for user in snapshot.cache.users if user is not facts.children.user]


def test_two_bindings_and_a_syndesis_of_one_name_are_apart() -> None:
    others = (PAIR, Pair(PAIR.space, Ref("apps", "billing"), "Integration"), Pair(PAIR.space, Ref("apps", "checkout")))
    for name_of in (naming.integration_label, naming.secret_ref, naming.username, naming.user_ref):
        assert len({name_of(pair) for pair in others}) == 3


@pytest.mark.parametrize("kind", ["Syndesis", "Connection"])
def test_an_outage_of_syndesis_holds_no_binding(kind: str) -> None:
    _, facts, _ = settled()
    away = replace(facts, children=replace(facts.children, user=None))
    for state in ("out_of_sync", "absent"):
        without = replace(away, cluster=replace(facts.cluster, **{state: frozenset({kind})}))
        assert kinds(plan_pair(without, TEMPLATES)) == ["MessagingUser"], state


def test_an_outage_of_address_spaces_holds_it() -> None:
    _, facts, _ = settled()
    away = replace(facts, children=replace(facts.children, user=None))
    without = replace(away, cluster=replace(facts.cluster, out_of_sync=frozenset({"AddressSpace"})))
    assert plan_pair(without, TEMPLATES).actions == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"pairing": Check.failure("NamespaceNotAllowed", "no")},
        {"space": None},
        {"integration": None},
        {"terminating": frozenset({"apps"})},
    ],
    ids=["consent withdrawn", "space gone", "Integration gone", "namespace ends"],
)
def test_it_is_taken_down(changes: dict[str, Any]) -> None:
    _, facts, _ = settled()
    plan = plan_pair(changed_facts(facts, **changes), TEMPLATES)
    deleted = [action.kind for action in plan.actions if isinstance(action, (Delete, DeleteRemote))]
    assert deleted[0] == "MessagingUser"
    assert "Integration" not in deleted, "it is the user's"
    if "terminating" not in changes:
        assert deleted == ["MessagingUser", "Secret"]


def test_what_was_retained_stays_when_its_integration_is_gone() -> None:
    _, facts, _ = settled(deletionPolicy="Retain")
    assert plan_pair(replace(facts, integration=None), TEMPLATES).actions == ()
    withdrawn = changed_facts(facts, integration=None, pairing=Check.failure("NamespaceNotAllowed", "no"))
    assert kinds(plan_pair(withdrawn, TEMPLATES)) == ["MessagingUser", "Secret"]


def test_it_never_becomes_an_offer() -> None:
    snapshot, facts, _ = settled()
    forged = snapshot.facts(PAIR).integration
    assert forged is not None
    document = {**forged.live.document, "metadata": {**forged.live.document["metadata"]}}
    document["metadata"]["labels"] = {names.MANAGED_BY_LABEL: names.FIELD_MANAGER}
    snapshot.merge("Integration", forged.ref, document, applied=document)
    integration_ = snapshot.facts(PAIR).integration
    assert integration_ is not None
    assert not integration_.offered
    assert not integration_.unanswered
    gone = changed_facts(facts, integration=integration_, space=None)
    assert "Integration" not in kinds(plan_pair(gone, TEMPLATES))


def test_it_does_not_inherit_the_login_of_the_proof_of_concept() -> None:
    name = "enmasse-orders-to-fuse"
    pair = Pair(PAIR.space, Ref("apps", name), "Integration")
    older = binding(name=name)
    older["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    inherits = integration("fuse", name, enabled=True)
    documents = [space(annotations={ALLOWED: "apps,fuse"}), syndesis("fuse"), older, inherits]
    snapshot = dry_run(documents, RULES)
    assert snapshot.facts(pair).login.inherited is None
    assert snapshot.facts(Pair(PAIR.space, Ref("fuse", "syndesis"))).login.inherited == name


def test_plain_text_needs_the_word_of_the_receiver() -> None:
    _, facts, _ = settled()
    assert facts.space is not None
    without = replace(facts, space=replace(facts.space, certificate=None))
    plan = plan_pair(without, TEMPLATES)
    assert plan.actions == ()
    user = next(c for c in plan.conditions or () if c.type == "UserReady")
    assert (user.status, user.reason) == ("False", "TLSNotAvailable")
    assert plan.delivered.uri == "amqps://messaging.svc:5671"


def test_state_over_rest_is_that_of_the_user_only() -> None:
    forged = {"delivered": {"connection": {"delivery": "rest", "id": "i-of-another", "appliedHash": "x"}}}
    snapshot, _, _ = settled()
    snapshot.merge("Integration", PAIR.consumer, {"status": forged})
    fresh = dry_run([s.document for s in (snapshot.facts(PAIR).integration.live,)], RULES)  # type: ignore[union-attr]
    (written,) = fresh.cache.integrations
    assert fresh.gatherer.remote_states.of(written).connection.absent


def test_its_user_in_keycloak() -> None:
    snapshot = dry_run([space(annotations={ALLOWED: "apps"}), binding(delivery={"user": "keycloak"})], RULES)
    actions, plan = snapshot.settle(PAIR, TEMPLATES)
    made = [a.kind for a in actions if isinstance(a, (Apply, EnsureRemote))]
    assert made == ["Secret", "MessagingUser"]
    ready, *conditions = summarize(plan.conditions or ())
    assert (ready.type, ready.status) == ("Ready", "True")
    assert conditions[-1].reason == "KeycloakUser"


def test_its_user_on_the_aggregated_api() -> None:
    _, facts, _ = settled()
    polled = replace(facts.cluster, unwatched=frozenset({"MessagingUser"}))
    plan = plan_pair(changed_facts(facts, cluster=polled, user=None), TEMPLATES)
    (ensured,) = (action for action in plan.actions if isinstance(action, EnsureRemote))
    assert (ensured.kind, ensured.delivery) == ("MessagingUser", "aggregated")
    assert "AggregatedUser" in [c.reason for c in plan.conditions or ()]


@pytest.mark.parametrize(
    ("rules", "namespace", "allowed", "reason"),
    [
        (RULES, "shop", "", "SameNamespace"),
        (RULES, "apps", "apps", "NamespaceAllowed"),
        (RULES, "apps", "other", "NamespaceNotAllowed"),
        (("created-by",), "shop", "", "OtherCreator"),
    ],
)
def test_the_rules_of_the_giver(rules: tuple[str, ...], namespace: str, allowed: str, reason: str) -> None:
    annotations = {names.ENMASSE_CREATED_BY: "alice", **({ALLOWED: allowed} if allowed else {})}
    check = pairing.may_pair(address_space(space(annotations=annotations)), Binding(Ref(namespace, "x")), rules)
    assert check.reason == reason
    if not check:
        assert "Syndesis shop/x" not in check.message
        assert pairing.denied(Pair(PAIR.space, Ref(namespace, "x"), "Integration"), rules) == check


def test_a_spec_that_no_server_has_validated() -> None:
    document = binding()
    document["spec"]["client"] = "syndesis"
    written = parse_integration(document)
    assert written.problem == f"spec: Value error, {BINDING_ALONE}"


def test_without_an_address_space_it_has_no_pair() -> None:
    document = binding()
    del document["spec"]["addressSpaceRef"]
    snapshot = dry_run([space(), document], RULES)
    (key,) = snapshot.unpaired()
    (written,) = snapshot.cache.integrations
    check = snapshot.gatherer.pair_of(written)
    assert key == PAIR.consumer
    assert isinstance(check, Check)
    assert check.reason == "AddressSpaceMissing"
