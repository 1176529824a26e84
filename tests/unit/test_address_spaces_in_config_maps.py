"""An AddressSpace in a ConfigMap of EnMasse up to 0.30 equals one of the kind.

One that cannot be read does not count as deleted.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from integration_operator.domain.model.patterns import NamespacePatterns
from integration_operator.domain.policies.readiness import can_serve
from integration_operator.platforms.address_space import address_space
from integration_operator.platforms.config_map import address_space_document
from integration_operator.runtime.ref import Ref
from tests.support.builders import space


def config_map(config: Any, **metadata: Any) -> dict[str, Any]:
    text = config if isinstance(config, str) else json.dumps(config)
    return {
        "metadata": {
            "name": "shop.orders",
            "namespace": "enmasse",
            "uid": "of-the-config-map",
            "resourceVersion": "7",
            "labels": {"type": "address-space", "namespace": "shop"},
            **metadata,
        },
        "data": {"config.json": text},
    }


def test_the_same_as_one_of_the_kind() -> None:
    document = address_space_document(config_map(space(uid="stale", resourceVersion="1")))
    assert document is not None
    found, of_kind = address_space(document, can_own=False), address_space(space())
    assert found.ref == Ref("shop", "orders")
    assert (found.endpoint, found.certificate, found.ready) == (of_kind.endpoint, of_kind.certificate, True)
    assert found.uid == "of-the-config-map"
    assert document["metadata"]["resourceVersion"] == "7"
    assert not found.can_own


def test_the_namespace_may_stand_in_a_label_only() -> None:
    config = space()
    del config["metadata"]["namespace"]
    document = address_space_document(config_map(config))
    assert document is not None
    assert address_space(document).ref == Ref("shop", "orders")


def test_annotations_of_both() -> None:
    config = space(annotations={"enmasse.io/realm-name": "inside"})
    both = {"enmasse.io/realm-name": "outside", "integreatly.org/allowed-namespaces": "fuse"}
    document = address_space_document(config_map(config, annotations=both))
    assert document is not None
    found = address_space(document)
    assert (found.realm, found.allowed_namespaces) == ("inside", NamespacePatterns.parse("fuse"))


def named(name: Any, namespace: Any = "shop") -> str:
    return json.dumps({"metadata": {"name": name, "namespace": namespace}})


@pytest.mark.parametrize(
    "config",
    [
        *("", "{", "[]", "null", '{"metadata": null}', '{"metadata": {}}', '"text"'),
        *(named("a/b"), named("x" * 300), named("\x1b[2J"), named(5), named("orders", "../x"), named("orders", ["a"])),
        "[" * 5_000 + "]" * 5_000,
        '{"metadata":' * 5_000,
        json.dumps({**space(), "padding": "x" * 300_000}),
        json.dumps({**space(), "padding": [{}] * 20_000}),
    ],
)
def test_one_that_cannot_be_read_is_there_and_says_so(config: str) -> None:
    made_by = {"enmasse.io/created-by": "ann"}
    document = address_space_document(config_map(config, annotations=made_by))
    assert document is not None
    found = address_space(document, can_own=False)
    assert (found.ref, found.uid, found.created_by) == (Ref("shop", "orders"), "of-the-config-map", "ann")
    verdict = can_serve(found, None)
    assert verdict.reason == "AddressSpaceNotReady"
    assert "config.json of ConfigMap enmasse/shop.orders cannot be read" in verdict.message


def test_what_nothing_says_the_name_of_is_none() -> None:
    assert address_space_document({"metadata": {"name": "x"}}) is None


def test_the_version_is_enmasses_or_the_usual_one() -> None:
    document = address_space_document(config_map({**space(), "apiVersion": "evil/v1\x1b"}))
    assert document is not None
    assert document["apiVersion"] == "enmasse.io/v1alpha1"
