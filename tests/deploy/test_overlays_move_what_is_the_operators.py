"""kustomize renders every directory of deploy/kustomize, and an overlay that moves the operator moves only it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.kustomize import DEPLOY, build, overlay_of_page

COMPONENTS = {
    **dict.fromkeys(("admission", "priority-class", "authenticated-metrics"), ("base", "compatibility")),
    "authenticated-metrics-connection-controller": ("connection-controller",),
}
"""Each component, and the directories that it completes."""

DIRECTORIES = sorted({directory.name for directory in DEPLOY.iterdir() if directory.is_dir()} - {*COMPONENTS})
OPERATORS = ("base", "compatibility", "connection-controller")
OWN = "integration-operator"


def overlay(directory: Path, name: str, **more: Any) -> Path:
    """Write a kustomization over one of ours."""
    resources = [os.path.relpath(DEPLOY / name, directory)]
    (directory / "kustomization.yaml").write_text(yaml.safe_dump({"resources": resources, **more}))
    return directory


def namespaces(documents: list[dict[str, Any]]) -> set[str]:
    return {d["metadata"]["namespace"] for d in documents if "namespace" in d["metadata"]}


def subjects(documents: list[dict[str, Any]]) -> set[str]:
    return {s["namespace"] for d in documents if d["kind"].endswith("RoleBinding") for s in d["subjects"]}


@pytest.mark.parametrize("name", DIRECTORIES)
def test_every_directory_is_rendered(name: str, tmp_path: Path) -> None:
    documents = build(DEPLOY / name)
    assert documents
    assert [d["metadata"]["name"] for d in build(overlay(tmp_path, name))] == [d["metadata"]["name"] for d in documents]


@pytest.mark.parametrize("name", OPERATORS)
def test_an_overlay_moves_the_operator_and_what_names_it(name: str, tmp_path: Path) -> None:
    assert namespaces(build(DEPLOY / name)) == {OWN}, "nothing in it is of another namespace"
    documents = build(overlay(tmp_path, name, namespace="elsewhere"))
    assert namespaces(documents) == {"elsewhere"}
    assert subjects(documents) == {"elsewhere"}


def test_the_overlay_of_the_page(tmp_path: Path) -> None:
    (tmp_path / "kustomization.yaml").write_text(overlay_of_page("### Your own overlay", tmp_path))
    documents = build(tmp_path)
    assert (namespaces(documents), subjects(documents)) == ({"messaging"}, {"messaging"})
    (pod,) = [d["spec"]["template"]["spec"] for d in documents if d["kind"] == "Deployment"]
    assert pod["priorityClassName"] == "integration-operator"
    (container,) = pod["containers"]
    assert container["image"] == "registry.example/integration-operator:0.1.0"
    assert container["env"] == [{"name": "INTEGRATION_OPERATOR_ENABLE_NEW", "value": "true"}]


@pytest.mark.parametrize(("name", "component"), [(name, c) for c, names in COMPONENTS.items() for name in names])
def test_a_component_moves_with_the_operator(name: str, component: str, tmp_path: Path) -> None:
    components = [os.path.relpath(DEPLOY / component, tmp_path)]
    assert namespaces(build(overlay(tmp_path, name, components=components))) == {OWN}
    documents = build(overlay(tmp_path, name, components=components, namespace="elsewhere"))
    assert namespaces(documents) == {"elsewhere"}
    assert subjects(documents) == {"elsewhere"}
    services = {d["metadata"]["name"] for d in documents if d["kind"] == "Service"}
    for webhook in (w for d in documents if d["kind"] == "ValidatingWebhookConfiguration" for w in d["webhooks"]):
        assert webhook["clientConfig"]["service"]["namespace"] == "elsewhere"
        assert webhook["clientConfig"]["service"]["name"] in services


@pytest.mark.parametrize("name", ["configmaps", "keycloak"])
def test_the_role_in_enmasses_namespace_stays_there(name: str, tmp_path: Path) -> None:
    """It is a kustomization of its own, so an overlay over the operator does not reach it; its subject can be set."""
    documents = build(DEPLOY / name)
    assert {d["kind"] for d in documents} == {"Role", "RoleBinding"}
    assert (namespaces(documents), subjects(documents)) == ({"enmasse-infra"}, {OWN})
    subject = '[{"op": "replace", "path": "/subjects/0/namespace", "value": "elsewhere"}]'
    patches = [{"target": {"kind": "RoleBinding"}, "patch": subject}]
    moved = build(overlay(tmp_path, name, patches=patches))
    assert (namespaces(moved), subjects(moved)) == ({"enmasse-infra"}, {"elsewhere"})
    renamed = build(overlay(tmp_path, name, namespace="enmasse"))
    assert (namespaces(renamed), subjects(renamed)) == ({"enmasse"}, {OWN})


@pytest.mark.parametrize("name", DIRECTORIES)
def test_kinds_and_cluster_roles_have_no_namespace(name: str, tmp_path: Path) -> None:
    for document in build(overlay(tmp_path, name, namespace="elsewhere")):
        if document["kind"].startswith("Cluster") or document["kind"] == "CustomResourceDefinition":
            assert "namespace" not in document["metadata"]
