"""The files in crds/ are what the models say, and the models read what the proof of concept stored."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from integration_operator.api import connection, integration, names, schema
from integration_operator.api.connection import ConnectionObject
from integration_operator.api.integration import IntegrationObject, timedelta_of
from integration_operator.cli.crds import crds

CRDS = Path(__file__).parents[2] / "crds"

SPEC_OF_PROOF_OF_CONCEPT = {
    "serviceProvider": "fuse",
    "integrationType": "amqp",
    "client": "syndesis",
    "enabled": True,
}
STATUS_OF_PROOF_OF_CONCEPT = {
    "phase": "complete",
    "statusMessage": "",
    "metaData": {"msgHost": "messaging.enmasse-eval.svc", "realm": "eval-orders", "connectionID": "i-Lc6RAo-APqmk3z"},
}


def _nodes(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, node
    below = {**node.get("properties", {})}
    below.update({word: node[word] for word in ("items", "additionalProperties") if word in node})
    for name, child in below.items():
        yield from _nodes(child, f"{path}.{name}")


ALL_NODES = [
    (document["metadata"]["name"] + path, node)
    for document in schema.custom_resource_definitions()
    for path, node in _nodes(document["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
]


def test_committed_files_are_a_fresh_generation() -> None:
    committed = {path.name: path.read_text() for path in CRDS.iterdir() if path.name != "Kustomization"}
    assert committed == dict(schema.manifests())


def test_kustomize_takes_all_of_them() -> None:
    kustomization = yaml.safe_load((CRDS / "Kustomization").read_text())
    assert sorted(kustomization["resources"]) == sorted(dict(schema.manifests()))


def test_the_text_says_what_the_document_says() -> None:
    for document, (_, text) in zip(schema.custom_resource_definitions(), schema.manifests(), strict=True):
        assert yaml.safe_load(text) == document


def test_command_prints_one_stream_of_documents(capsys: pytest.CaptureFixture[str]) -> None:
    crds()
    assert list(yaml.safe_load_all(capsys.readouterr().out)) == schema.custom_resource_definitions()


def test_command_writes_one_file_a_kind(tmp_path: Path) -> None:
    crds(tmp_path / "new")
    assert {path.name: path.read_text() for path in (tmp_path / "new").iterdir()} == dict(schema.manifests())


def test_every_node_has_one_type() -> None:
    assert [path for path, node in ALL_NODES if not isinstance(node.get("type"), str)] == []


def test_every_field_is_documented() -> None:
    undocumented = [
        path
        for path, node in ALL_NODES
        for name, below in node.get("properties", {}).items()
        if not below.get("description") and not (path.count(".") == 2 and name == "metadata")
    ]
    assert undocumented == []


def test_the_only_defaults_are_those_that_no_manager_owns() -> None:
    """A user's server-side apply of ``enabled: true`` meets no conflict with an offer."""
    not_observed = {"observedGeneration": -1}
    assert {path: node["default"] for path, node in ALL_NODES if "default" in node} == {
        "integrations.integreatly.org.spec.enabled": False,
        "integrations.integreatly.org.status": not_observed,
        "connections.syndesis.io.status": not_observed,
    }


def test_nothing_of_an_integration_spec_is_required() -> None:
    root = schema.schema_of_kind(IntegrationObject)
    assert "required" not in root
    assert "required" not in root["properties"]["spec"]


def test_what_rules_in_cel_look_at_is_bounded() -> None:
    """The API server refuses a rule that could become too costly, and only bounds tell it otherwise."""
    for path, node in ALL_NODES:
        if ".spec" not in path:
            continue
        if node["type"] == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path


def test_our_connection_is_told_from_a_real_one() -> None:
    labels = {
        document["metadata"]["name"]: document["metadata"].get("labels", {})
        for document in schema.custom_resource_definitions()
    }
    assert labels["connections.syndesis.io"] == {names.PLACEHOLDER_LABEL: "true"}
    assert labels["integrations.integreatly.org"] == {names.PROVISIONED_SERVICE_LABEL: "true"}


@pytest.mark.parametrize(
    ("spec", "status"),
    [
        pytest.param(SPEC_OF_PROOF_OF_CONCEPT, STATUS_OF_PROOF_OF_CONCEPT, id="complete"),
        pytest.param(
            {**SPEC_OF_PROOF_OF_CONCEPT, "enabled": False, "service": "enmasse"},
            {"phase": "accepted", "statusMessage": "", "metaData": None},
            id="never enabled",
        ),
        pytest.param(
            {**SPEC_OF_PROOF_OF_CONCEPT, "client": ""},
            {"phase": "", "statusMessage": "", "metaData": {}},
            id="empty strings",
        ),
    ],
)
def test_models_read_what_the_proof_of_concept_stored(spec: dict[str, Any], status: dict[str, Any]) -> None:
    document = {"metadata": {"name": "enmasse-orders-to-fuse", "namespace": "fuse"}, "spec": spec, "status": status}
    read = IntegrationObject.model_validate(document)
    assert read.model_dump(by_alias=True, exclude_unset=True) == document


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"serviceProvider": "smoke"}, "fuse"),
        ({"enabled": "yes"}, "boolean"),
        ({"client": "Not A Name"}, "pattern"),
        ({"addressSpaceRef": {"name": "orders"}}, "namespace"),
        ({"authorization": [{"operations": []}]}, "at least 1"),
        ({"authorization": [{"operations": ["send"]}]}, integration.ADDRESSES_MISSING),
        ({"rotation": {"every": "30d"}}, "pattern"),
        ({"rotation": {"every": "0h"}}, integration.PERIOD_EMPTY),
        ({"rotation": {"every": "1h", "overlap": "60m"}}, integration.OVERLAP_TOO_LONG),
        ({"consumer": "camel"}, "syndesis"),
        ({"consumer": "binding", "client": "syndesis"}, integration.BINDING_ALONE),
        ({"consumer": "binding", "serviceProvider": "fuse"}, integration.BINDING_ALONE),
        ({"consumer": "binding", "credentialsSecretRef": {"name": "own"}}, integration.BINDING_ALONE),
        ({"consumer": "binding", "delivery": {"connection": "auto"}}, integration.BINDING_ALONE),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_models_refuse_what_the_schema_refuses(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message.replace("*", r"\*")):
        IntegrationObject.model_validate({"spec": spec})


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"configuredPropertiesFrom": [{"property": "password"}]}, connection.ONE_SOURCE),
        (
            {
                "configuredProperties": {"password": "x"},
                "configuredPropertiesFrom": [
                    {"property": "password", "secretKeyRef": {"name": "s", "key": "password"}}
                ],
            },
            connection.ONE_VALUE,
        ),
    ],
    ids=["no source", "two values"],
)
def test_a_connection_says_once_where_a_property_comes_from(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ConnectionObject.model_validate({"spec": {"connectorId": "amqp", **spec}})


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("720h", timedelta(days=30)),
        ("1h30m", timedelta(minutes=90)),
        ("45s", timedelta(seconds=45)),
        ("1h2m3s", timedelta(hours=1, minutes=2, seconds=3)),
    ],
)
def test_a_duration_means_what_go_means_by_it(text: str, time: timedelta) -> None:
    assert timedelta_of(text) == time
