"""Whatever the operator deletes or changes was made by it for that very pair, whoever forges, copies or loses what.

Random objects stand where the pairs' objects could be: with labels, annotations, field managers, names and namespaces
of ours, of another pair, half of them lost, or none. The operator then delivers, is disabled, loses its consent, and
takes down.
"""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import Apply, Delete
from integration_operator.domain.model.credential import encode
from integration_operator.domain.model.pair import Pair
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.managed_fields import managed_fields
from integration_operator.runtime.ref import Ref
from tests.support.builders import integration, space, syndesis
from tests.support.dry_runs import dry_run

TEMPLATES = TemplateFiles()
RULES = ("same-namespace", "allowed-namespaces")
ALLOWED = "integreatly.org/allowed-namespaces"
PAIR = Pair(Ref("shop", "orders"), Ref("fuse", "syndesis"))
OTHER = Pair(Ref("shop", "orders"), Ref("other", "syndesis"))
KINDS = ("Secret", "MessagingUser", "Connection")
USERNAMES = (*naming.usernames(PAIR), *naming.usernames(OTHER), "boss", "enmasse-orders-to-fuse")


def delivered_objects() -> dict[tuple[str, Pair], dict[str, Any]]:
    """Return what the operator creates for both pairs, from which others copy."""
    snapshot = dry_run([space(annotations={ALLOWED: "*"}), syndesis("fuse"), syndesis("other")], RULES)
    made = {}
    for pair in (PAIR, OTHER):
        for action in snapshot.settle(pair, TEMPLATES)[0]:
            if isinstance(action, Apply) and action.kind in KINDS:
                made[action.kind, pair] = action.document
    return made


MADE = delivered_objects()


@st.composite
def strange_objects(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an object that was made after one of ours, with any of its marks kept, forged or lost."""
    kind = draw(st.sampled_from(KINDS))
    document = copy.deepcopy(MADE[kind, draw(st.sampled_from([PAIR, OTHER]))])
    metadata = document["metadata"]
    username = draw(st.sampled_from(USERNAMES))
    wanted_places = {
        "Secret": naming.secret_ref(PAIR),
        "Connection": naming.connection_ref(PAIR),
        "MessagingUser": naming.user_ref(PAIR, username),
    }
    elsewhere = st.builds(
        Ref,
        st.sampled_from(["shop", "fuse", "other", "elsewhere"]),
        st.sampled_from([metadata["name"], f"orders.{username}", naming.integration_name(OTHER), "copy"]),
    )
    metadata["namespace"], metadata["name"] = draw(st.just(wanted_places[kind]) | elsewhere)
    if kind == "MessagingUser" and draw(st.booleans()):
        document["spec"]["username"] = username
    for part in ("labels", "annotations"):
        kept = draw(st.sets(st.sampled_from(sorted(metadata[part]))))
        metadata[part] = {key: value for key, value in metadata[part].items() if key in kept}
        if draw(st.booleans()):
            metadata[part] |= MADE["Secret", draw(st.sampled_from([PAIR, OTHER]))]["metadata"][part]
    managers = draw(st.sampled_from(["none", "another", "ours without names", "finalizer's", "ours as update"]))
    fields = managed_fields({**document, "metadata": {**metadata, "ownerReferences": []}}, names.FIELD_MANAGER)
    if managers == "ours without names":  # a copy keeps our entry, and another client wrote its names
        fields[0]["fieldsV1"].get("f:metadata", {}).pop("f:annotations", None)
    elif managers != "none":
        fields[0]["manager"] = {"another": "kubectl", "finalizer's": names.FINALIZER_MANAGER}.get(
            managers, names.FIELD_MANAGER
        )
        fields[0]["operation"] = "Update" if managers == "ours as update" else "Apply"
    metadata["managedFields"] = fields if managers != "none" else []
    metadata.pop("ownerReferences", None)
    return document


def proves_to_be_ours(document: dict[str, Any]) -> bool:
    """Return what docs/ownership.md says, apart from the code: ours under a generated name, or put back there."""
    metadata, kind = document["metadata"], document["kind"]
    ref = Ref(metadata["namespace"], metadata["name"])
    generated = {
        "Secret": {naming.secret_ref(PAIR)},
        "Connection": {naming.connection_ref(PAIR)},
        "MessagingUser": {naming.user_ref(PAIR, name) for name in (*naming.usernames(PAIR), "enmasse-orders-to-fuse")},
    }[kind]
    if ref not in generated:
        return False
    applied = any(m["manager"] == names.FIELD_MANAGER and m["operation"] == "Apply" for m in metadata["managedFields"])
    annotations = metadata["annotations"]
    named = (annotations.get(names.ADDRESS_SPACE_ANNOTATION), annotations.get(names.SYNDESIS_ANNOTATION))
    return applied or named == (str(PAIR.space), str(PAIR.syndesis))


def secret(username: str) -> dict[str, Any]:
    metadata = {"namespace": "fuse", "name": "byo", "labels": {names.INTEGRATION_LABEL: "yes"}, "uid": "brought"}
    data = {"username": encode(username), "password": encode("of the receiver")}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


@settings(deadline=None)
@given(
    strange=st.lists(strange_objects(), min_size=1, max_size=6),
    brought=st.sampled_from([None, *USERNAMES]),
    forged=st.booleans(),
    wishes=st.lists(st.sampled_from(["enable", "disable", "withdraw", "allow", "suspend", "retain"]), max_size=6),
)
def test_nothing_that_others_made_is_touched(
    strange: list[dict[str, Any]], brought: str | None, forged: bool, wishes: list[str]
) -> None:
    written = integration("fuse", enabled=True)
    if brought is not None:
        written["spec"]["credentialsSecretRef"] = {"name": "byo"}
    if forged:
        written["metadata"]["finalizers"] = [names.REST_STATE_FINALIZER]
        user = {"delivery": "keycloak", "username": brought or USERNAMES[0]}
        written["status"] = {"phase": "complete", "delivered": {"user": user, "source": "crd"}}
    by_place = {(d["kind"], d["metadata"]["namespace"], d["metadata"]["name"]): d for d in strange}
    for number, document in enumerate(by_place.values()):
        document["metadata"]["uid"] = f"strange-{number}"
    theirs = {d["metadata"]["uid"]: d for d in by_place.values() if not proves_to_be_ours(d)}
    documents = [
        space(annotations={ALLOWED: "fuse"}),
        syndesis("fuse"),
        written,
        *copy.deepcopy(list(by_place.values())),
    ]
    snapshot = dry_run([*documents, *([secret(brought)] if brought is not None else [])], RULES)
    for wish in ["enable", *wishes, "disable", "withdraw"]:
        reference = Ref("fuse", "mine")
        spec: dict[str, Any] = {
            "enable": {"enabled": True, "suspend": False},
            "disable": {"enabled": False, "suspend": False},
            "suspend": {"suspend": True},
            "retain": {"deletionPolicy": "Retain"},
        }.get(wish, {})
        if spec:
            snapshot.merge("Integration", reference, {"spec": spec})
        if wish in ("withdraw", "allow"):
            allowed = "fuse" if wish == "allow" else "nobody"
            snapshot.cache.spaces.replace(
                [snapshot.cache.spaces.read(with_uid(space(annotations={ALLOWED: allowed})))],
                snapshot.cache.spaces.epoch(),
            )
        actions, _ = snapshot.settle(PAIR, TEMPLATES)
        for action in actions:
            uid = action.uid if isinstance(action, (Apply, Delete)) else None
            assert uid not in theirs, (action, theirs[str(uid)])
            assert uid != "brought", "a user's own Secret is theirs"


def with_uid(document: dict[str, Any]) -> dict[str, Any]:
    document["metadata"]["uid"] = "(uid of AddressSpace shop/orders)"
    return document
