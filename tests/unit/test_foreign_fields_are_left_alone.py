"""A difference is a field of ours that is not what we want; what others own never counts."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.runtime.live_object import LiveObject, differences, owned_fields
from integration_operator.runtime.managed_fields import managed_fields, without_former_fields

MANAGER = "integration-operator"
OURS = {
    "f:metadata": {
        "f:labels": {"f:a": {}},
        "f:ownerReferences": {'k:{"uid":"1"}': {}},
    },
    "f:spec": {
        "f:name": {},
        "f:properties": {"f:uri": {}, "f:ca": {}},
        "f:from": {'k:{"property":"p"}': {".": {}, "f:property": {}, "f:key": {}}},
        "f:tags": {'v:"t"': {}},
    },
}
OWNER = {"uid": "1", "kind": "Integration", "name": "i", "apiVersion": "v1"}


def document(**changes: Any) -> dict[str, Any]:
    spec = {"name": "n", "properties": {"uri": "u", "ca": "c"}, "from": [{"property": "p", "key": "k"}], "tags": ["t"]}
    metadata = {"name": "x", "namespace": "y", "labels": {"a": "1"}, "ownerReferences": [OWNER]}
    return {"apiVersion": "v1", "kind": "K", "metadata": metadata, "spec": {**spec, **changes}}


def live(found: dict[str, Any]) -> LiveObject:
    entries = [
        {"manager": "integration-operator", "operation": "Apply", "fieldsV1": deepcopy(OURS)},
        {
            "manager": "integration-operator",
            "operation": "Apply",
            "subresource": "status",
            "fieldsV1": {"f:status": {}},
        },
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:theirs": {}}}},
    ]
    metadata = {**found["metadata"], "uid": "u", "resourceVersion": "7", "managedFields": entries}
    return LiveObject.of({**found, "metadata": metadata}, names.FIELD_MANAGER)


def test_the_same_is_the_same() -> None:
    assert differences(live(document()), document()) == []


def test_fields_of_others_do_not_count() -> None:
    theirs = document(theirs=1, properties={"uri": "u", "ca": "c", "more": "m"})
    theirs["metadata"]["labels"]["b"] = "2"
    theirs["metadata"]["annotations"] = {"c": "3"}
    theirs["metadata"]["ownerReferences"] = [{"uid": "9"}, OWNER]
    assert differences(live(theirs), document()) == []


@pytest.mark.parametrize(
    ("there", "wanted", "expected"),
    [
        ({"name": "other"}, {}, ["spec.name"]),
        ({"properties": {"uri": "other", "ca": "c"}}, {}, ["spec.properties.uri"]),
        ({}, {"properties": {"uri": "u"}}, ["spec.properties.ca (no longer desired)"]),
        (
            {},
            {"from": [{"property": "q", "key": "k"}]},
            ["spec.from", "spec.from{'property': 'p'} (no longer desired)"],
        ),
        ({}, {"tags": ["s"]}, ["spec.tags", "spec.tags: t (no longer desired)"]),
        ({}, {"more": {"deep": 1}}, ["spec.more"]),
    ],
)
def test_what_counts(there: dict[str, Any], wanted: dict[str, Any], expected: list[str]) -> None:
    assert differences(live(document(**there)), document(**wanted)) == expected


def test_an_owner_that_is_missing_or_no_longer_wanted() -> None:
    without = document()
    without["metadata"]["ownerReferences"] = []
    assert differences(live(without), document()) == ["metadata.ownerReferences"]
    assert differences(live(document()), without) == ["metadata.ownerReferences (no longer desired)"]


def test_who_made_it_and_who_wrote_last() -> None:
    found = live(document())
    assert found.applied
    assert found.owns("spec", "properties", "uri")
    assert not found.owns("spec", "theirs")
    assert found.rivals == ("kubectl",)
    assert not LiveObject.of({"metadata": {"name": "x"}}, names.FIELD_MANAGER).applied


def test_bookkeeping_is_no_difference() -> None:
    assert live(document()) == live({**document(), "metadata": {**document()["metadata"], "selfLink": "/x"}})


@pytest.mark.parametrize(
    ("live", "formerly", "applied", "left"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, {}, {"b": 2}),
        ({"a": 1}, {"a": 1}, {"a": 2}, {"a": 1}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}, {}, {"a": {"c": 2}}),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, {}, {}),
        ({"a": {"b": 1}}, {"a": {"b": 1}}, {"a": {}}, {"a": {}}),
        ({"a": "text"}, {"a": "text"}, {"a": {"b": 1}}, {"a": "text"}),
        ({"a": {}}, {"a": {}}, {}, {}),
    ],
)
def test_fields_that_are_applied_no_longer_are_removed(live: Any, formerly: Any, applied: Any, left: Any) -> None:
    """What a dry run shows is what the server would make of an apply."""
    (entry,) = managed_fields({"metadata": {}, **formerly}, "us")
    owned = owned_fields(json.dumps(entry["fieldsV1"]))
    assert without_former_fields(live, owned, applied) == left
