"""Whose an object is, one row for each combination: the table of docs/ownership.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.policies import ownership
from integration_operator.domain.policies.ownership import KEYCLOAK_MARK, ConnectionEvidence, Owner
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref

PAIR = Pair(Ref("shop", "orders"), Ref("fuse", "syndesis"))
OTHER = Pair(Ref("shop", "orders"), Ref("other", "syndesis"))
GENERATED, SECOND = naming.usernames(PAIR)
POC = "enmasse-orders-to-fuse"
PAGE = Path(__file__).parents[2] / "docs" / "ownership.md"

OURS, RESTORED, CONVERTED = Owner.THIS_PAIR, Owner.RESTORED, Owner.CONVERTED
ANOTHER, FOREIGN = Owner.OTHER_PAIR, Owner.FOREIGN


def made(
    ref: Ref,
    *,
    names_pair: Pair | None = None,
    applied: bool = False,
    applied_names: bool = True,
    spec: dict[str, Any] | None = None,
) -> LiveObject:
    """Return an object that names a pair or not, and of which our field manager applied fields or not."""
    annotations, fields = {}, {"f:spec": {"f:username": {}}}
    if names_pair is not None:
        annotations = {
            names.ADDRESS_SPACE_ANNOTATION: str(names_pair.space),
            ownership.CONSUMER_ANNOTATIONS[names_pair.kind]: str(names_pair.consumer),
        }
        if applied_names:
            fields["f:metadata"] = {"f:annotations": {f"f:{key}": {} for key in annotations}}
    entries = [{"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {}}}]
    if applied:
        entries.append({"manager": names.FIELD_MANAGER, "operation": "Apply", "fieldsV1": fields})
    metadata = {**ref._asdict(), "uid": "1", "annotations": annotations, "managedFields": entries}
    return LiveObject.of({"metadata": metadata, "spec": spec or {}}, names.FIELD_MANAGER)


# What stands in docs/ownership.md: evidence, and whose a Secret or Connection under the generated name is, and a
# MessagingUser under the generated name and under a name that a user chose.
EVIDENCE: dict[str, tuple[dict[str, Any], Owner, Owner, Owner]] = {
    "no fields of our manager, names no pair": ({}, FOREIGN, FOREIGN, FOREIGN),
    "no fields of our manager, names this pair": ({"names_pair": PAIR}, RESTORED, RESTORED, FOREIGN),
    "no fields of our manager, names another pair": ({"names_pair": OTHER}, FOREIGN, FOREIGN, FOREIGN),
    "our manager applied it, names no pair": ({"applied": True}, OURS, OURS, FOREIGN),
    "our manager applied it, for this pair": ({"applied": True, "names_pair": PAIR}, OURS, OURS, OURS),
    "our manager applied it, for another pair": ({"applied": True, "names_pair": OTHER}, ANOTHER, ANOTHER, ANOTHER),
    "our manager applied it, another manager wrote this pair's name": (
        {"applied": True, "names_pair": PAIR, "applied_names": False},
        OURS,
        OURS,
        FOREIGN,
    ),
    "our manager applied it, another manager wrote another pair's name": (
        {"applied": True, "names_pair": OTHER, "applied_names": False},
        OURS,
        OURS,
        FOREIGN,
    ),
}


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_resources(evidence: str) -> None:
    shown, generated, generated_user, chosen_user = EVIDENCE[evidence]
    assert ownership.judge_secret(made(naming.secret_ref(PAIR), **shown), PAIR).owner is generated
    assert ownership.judge_connection(made(naming.connection_ref(PAIR), **shown), PAIR).owner is generated
    for username, expected in ((GENERATED, generated_user), (SECOND, generated_user), ("boss", chosen_user)):
        spec = {"username": username, "authentication": {"password": "eA=="}}
        user = made(naming.user_ref(PAIR, username), spec=spec, **shown)
        judged = ownership.judge_user(user, PAIR, username, made_over_rest=True)
        assert judged.owner is expected, username
        assert judged.why


@pytest.mark.parametrize(
    ("username", "inherited", "password", "noted", "owner"),
    [
        (GENERATED, None, None, True, CONVERTED),
        (POC, POC, None, True, CONVERTED),
        (POC, None, None, True, FOREIGN),
        (GENERATED, None, None, False, FOREIGN),
        (GENERATED, None, "eA==", True, FOREIGN),
        ("boss", None, None, True, FOREIGN),
    ],
)
def test_a_user_that_enmasse_turned_into_a_resource(
    username: str, inherited: str | None, password: str | None, noted: bool, owner: Owner
) -> None:
    authentication = {"type": "password", **({"password": password} if password else {})}
    user = made(naming.user_ref(PAIR, username), spec={"username": username, "authentication": authentication})
    judged = ownership.judge_user(user, PAIR, username, inherited=inherited, made_over_rest=noted)
    assert judged.owner is owner


ENMASSE = {"resourceNamespace": ["shop"], "authenticationType": ["password"]}


def keycloak(username: str, **changed: list[str]) -> dict[str, list[str]]:
    found = {"resourceName": [naming.user_ref(PAIR, username).name], **ENMASSE, **changed}
    return {key: value for key, value in found.items() if value}


MARK = [ownership.keycloak_mark(PAIR)]
OTHER_MARK = [ownership.keycloak_mark(OTHER)]


@pytest.mark.parametrize(
    ("username", "attributes", "owner"),
    [
        ("boss", keycloak("boss"), FOREIGN),
        ("boss", keycloak("boss", **{KEYCLOAK_MARK: MARK}), OURS),
        ("boss", keycloak("boss", **{KEYCLOAK_MARK: OTHER_MARK}), ANOTHER),
        ("boss", {KEYCLOAK_MARK: MARK}, FOREIGN),
        ("boss", {}, FOREIGN),
        (GENERATED, keycloak(GENERATED), OURS),
        (SECOND, keycloak(SECOND), OURS),
        (GENERATED, keycloak(GENERATED, **{KEYCLOAK_MARK: OTHER_MARK}), ANOTHER),
        (GENERATED, {}, FOREIGN),
        (GENERATED, keycloak(GENERATED, resourceName=[]), FOREIGN),
        (GENERATED, keycloak(GENERATED, resourceNamespace=["elsewhere"]), FOREIGN),
        (GENERATED, keycloak(GENERATED, authenticationType=["serviceaccount"]), FOREIGN),
        (GENERATED, keycloak(GENERATED, authenticationType=[]), OURS),
        (POC, {}, RESTORED),
        (POC, {"locale": ["en"]}, RESTORED),
        (POC, {KEYCLOAK_MARK: OTHER_MARK}, ANOTHER),
        (POC, keycloak(POC), FOREIGN),
        (POC, keycloak(POC, **{KEYCLOAK_MARK: MARK}), OURS),
        ("enmasse-payments-to-fuse", {}, FOREIGN),
    ],
)
def test_keycloak_users(username: str, attributes: dict[str, list[str]], owner: Owner) -> None:
    assert ownership.judge_keycloak_user(attributes, PAIR, username, inherited=POC).owner is owner
    elsewhere = ownership.judge_keycloak_user(attributes, PAIR, username).owner
    assert elsewhere is (FOREIGN if owner is RESTORED else owner), "the login is inherited by one pair only"


@pytest.mark.parametrize(
    ("username", "owner"),
    [(GENERATED, OURS), (SECOND, OURS), (POC, OURS), ("boss", FOREIGN), (naming.username(OTHER), FOREIGN)],
)
def test_users_on_the_aggregated_api(username: str, owner: Owner) -> None:
    assert ownership.judge_aggregated_user(PAIR, username, inherited=POC).owner is owner
    elsewhere = ownership.judge_aggregated_user(PAIR, username).owner
    assert elsewhere is (FOREIGN if username == POC else owner), "the login is inherited by one pair only"


ID = naming.connection_id(PAIR)
MARKER = naming.integration_label(PAIR)


def connection(
    identifier: str, *, managed_by: str | None = None, integration: str | None = None, **rest: Any
) -> dict[str, Any]:
    metadata = {"managed-by": managed_by, "integration": integration}
    return {"id": identifier, "metadata": {key: value for key, value in metadata.items() if value}, **rest}


@pytest.mark.parametrize(
    ("stored", "owner"),
    [
        (connection(ID, managed_by=names.FIELD_MANAGER, integration=MARKER), OURS),
        (connection("i-1", managed_by=names.FIELD_MANAGER, integration=MARKER), OURS),
        (connection(ID), OURS),
        (connection(ID, managed_by=names.FIELD_MANAGER, integration="another"), OURS),
        (connection("i-1", managed_by=names.FIELD_MANAGER, integration="another"), ANOTHER),
        (connection("i-1", managed_by="somebody", integration=MARKER), FOREIGN),
        (connection("i-1", integration=MARKER), FOREIGN),
        (connection("i-1"), FOREIGN),
        (connection("i-1", configuredProperties={"username": POC}), RESTORED),
        (connection("i-1", configuredProperties={"username": GENERATED}), RESTORED),
        (connection(naming.controller_connection_id(naming.connection_ref(PAIR))), OURS),
        (connection("i-1", configuredProperties={"username": "boss"}), FOREIGN),
        ({"id": "i-1", "metadata": "no mapping", "configuredProperties": []}, FOREIGN),
    ],
)
def test_connections_in_syndesis(stored: dict[str, Any], owner: Owner) -> None:
    evidence = ConnectionEvidence.of(PAIR, "i-1", GENERATED)
    assert ownership.judge_syndesis_connection(stored, evidence).owner is owner
    if owner is RESTORED:
        elsewhere = ConnectionEvidence.of(PAIR, "i-2", GENERATED)
        assert ownership.judge_syndesis_connection(stored, elsewhere).owner is FOREIGN, "the noted id is another one"


def test_another_user_of_the_pair_matches_its_own_name() -> None:
    def former(name: str, username: str, namespace: str = "shop", **shown: Any) -> bool:
        shown = {"applied": True, "names_pair": PAIR, **shown}
        user = made(Ref(namespace, f"orders.{name}"), spec={"username": username}, **shown)
        return ownership.is_other_user(user, PAIR)

    assert former("alice", "alice")
    assert not former("copy", "alice"), "a copy under another name"
    assert not former("alice", "alice", "elsewhere"), "a copy in another namespace"
    assert not former("alice", "alice", applied=False)
    assert not former("alice", "alice", names_pair=OTHER)
    assert not former("alice", "alice", applied_names=False)


def test_a_generated_secret_is_nobodys_own() -> None:
    for pair in (PAIR, OTHER):
        assert ownership.is_generated_secret(made(naming.secret_ref(pair), applied=True, names_pair=pair))
        assert ownership.is_generated_secret(made(naming.secret_ref(pair), names_pair=pair)), (
            "put back by a backup tool"
        )
    assert not ownership.is_generated_secret(made(Ref("fuse", "byo")))
    assert not ownership.is_generated_secret(made(Ref("fuse", "copy"), names_pair=PAIR)), "a user's copy is the user's"


BINDING = Pair(PAIR.space, PAIR.consumer, "Integration")


def test_a_binding_is_another_pair_than_a_syndesis_of_its_name() -> None:
    for pair, other in ((PAIR, BINDING), (BINDING, PAIR)):
        own = made(naming.secret_ref(pair), names_pair=pair, applied=True)
        assert ownership.judge_secret(own, pair).owner is OURS
        assert ownership.judge_secret(own, other).owner is ANOTHER
        restored = made(naming.secret_ref(pair), names_pair=pair)
        assert ownership.judge_secret(restored, pair).owner is RESTORED
        assert ownership.judge_secret(restored, other).owner is FOREIGN
        assert ownership.is_generated_secret(restored)
        for username in naming.usernames(pair):
            assert ownership.judge_user(made(naming.user_ref(pair, username)), other, username).owner is FOREIGN
            assert not ownership.judge_aggregated_user(other, username).ours
        attributes = {KEYCLOAK_MARK: [ownership.keycloak_mark(pair)], **keycloak("boss")}
        assert ownership.judge_keycloak_user(attributes, other, "boss").owner is ANOTHER


def test_the_annotation_of_the_other_kind_takes_nothing_away() -> None:
    """A tenant adds the annotation that names a Syndesis to what a binding delivered, or the other way round."""
    for pair, annotation in ((BINDING, names.SYNDESIS_ANNOTATION), (PAIR, names.BINDING_ANNOTATION)):
        live = made(naming.secret_ref(pair), names_pair=pair, applied=True)
        live.annotations[annotation] = "fuse/another"
        assert ownership.judge_secret(live, pair).owner is OURS
        assert pair in ownership.named_pairs(live)


@pytest.mark.parametrize("evidence", EVIDENCE)
def test_the_page_has_the_same_table(evidence: str) -> None:
    words = {OURS: "this pair's", RESTORED: "this pair's (restored)", ANOTHER: "another pair's", FOREIGN: "foreign"}
    _, *owners = EVIDENCE[evidence]
    row = " | ".join([evidence, *(words[owner] for owner in owners)])
    assert f"| {row} |" in PAGE.read_text()


def test_the_id_in_the_status_of_the_pairs_own_connection_counts() -> None:
    stored = {"id": "con-7", "name": "x", "configuredProperties": {"username": "somebody"}}
    adopting = ConnectionEvidence.of(PAIR, None, GENERATED, adopted_id="con-7")
    assert ownership.judge_syndesis_connection(stored, adopting).owner is OURS
    assert ownership.judge_syndesis_connection(stored, ConnectionEvidence.of(PAIR, None, GENERATED)).owner is FOREIGN


@pytest.mark.parametrize(
    ("noted", "username", "owner"),
    [("i-7", GENERATED, RESTORED), ("i-7", "boss", FOREIGN), ("i-8", GENERATED, FOREIGN), (None, GENERATED, FOREIGN)],
)
def test_the_id_in_the_status_counts_only_with_a_user_name_of_the_pair(
    noted: str | None, username: str, owner: Owner
) -> None:
    """A tenant can write the status."""
    stored = {"id": "i-7", "configuredProperties": {"username": username}}
    evidence = ConnectionEvidence.of(PAIR, noted, GENERATED)
    assert ownership.judge_syndesis_connection(stored, evidence).owner is owner
