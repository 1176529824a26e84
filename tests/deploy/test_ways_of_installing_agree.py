"""The chart, the bundle and the overlays of kustomize install the same: objects, permissions and pods."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import helm, kustomize
from tests.support.documents import Document
from tests.support.olm import installed

DEPLOY = Path(__file__).parents[2] / "deploy"
LABELS_OF_HELM = (
    *("app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/managed-by"),
    "helm.sh/chart",
)
ADMISSION_HOST = "INTEGRATION_OPERATOR_ADMISSION_HOST"

canonical = partial(json.dumps, sort_keys=True)

VARIANTS: dict[str, tuple[list[str], Document]] = {
    "cluster": (["crds", "base", "tenants"], {}),
    "compatibility": (["crds", "compatibility", "tenants"], {"enmasse": {"aggregatedApi": True}}),
    "configmaps": (["crds", "base", "tenants", "configmaps"], {"enmasse": {"configMaps": True}}),
    "keycloak": (["crds", "base", "tenants", "keycloak"], {"enmasse": {"keycloak": True}}),
    "proof-of-concept": (
        ["crds", "proof-of-concept", "tenants"],
        {"settings": {"profile": "poc"}, "enmasse": {"configMaps": True, "keycloak": True}},
    ),
    "connection-controller": (
        ["crds", "base", "tenants", "connection-controller"],
        {"connectionController": {"enabled": True}},
    ),
    "admission": (["crds", "base", "tenants", "admission-policy"], {"admission": {"policy": True}}),
    "without more": (["base"], {"crds": {"enabled": False}, "tenantRoles": False}),
    "monitoring": (
        ["crds", "base", "tenants", "monitoring"],
        {"metrics": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}},
    ),
}
"""Directories of deploy/kustomize, and the values of the chart that install the same."""

COMPONENTS: dict[str, tuple[list[str], list[str], Document]] = {
    "admission": (["base"], ["admission"], {"admission": {"enabled": True}}),
    "priority-class": (["base"], ["priority-class"], {"priorityClass": {"create": True}}),
    "authenticated-metrics": (
        ["base", "connection-controller", "monitoring"],
        ["authenticated-metrics", "authenticated-metrics-connection-controller"],
        {
            "connectionController": {"enabled": True},
            "metrics": {
                "authentication": True,
                "serviceMonitor": {"enabled": True},
                "prometheusRule": {"enabled": True},
            },
        },
    ),
    "authenticated-metrics alone": (["base"], ["authenticated-metrics"], {"metrics": {"authentication": True}}),
}
"""Directories of deploy/kustomize, components beside them, and the values of the chart that install the same."""


def built(directory: Path, resources: list[str], components: list[str] | None = None) -> list[Document]:
    """Return what an overlay over directories of deploy/kustomize applies."""
    paths = {"resources": resources, "components": components or []}
    overlay = {
        key: [os.path.relpath(DEPLOY / "kustomize" / n, directory) for n in named] for key, named in paths.items()
    }
    (directory / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    return kustomize.build(directory)


def by_name(documents: list[Document]) -> dict[tuple[str, str, str], Document]:
    """Return documents by kind, namespace and name, without what only one way of installing sets."""
    found = {}
    for document in documents:
        if document["kind"] == "Namespace":
            continue  # Helm and OLM install into one that exists
        document = plain(document)
        metadata = document["metadata"]
        found[document["kind"], metadata.get("namespace", ""), metadata["name"]] = document
    return found


def plain(value: Any) -> Any:
    """Return a document without labels of Helm, empty metadata, defaults of the API server, and the chart's names."""
    if isinstance(value, list):
        items = [plain(item) for item in value]
        return sorted(items, key=canonical) if items and "containerPort" in items[0] else items
    if isinstance(value, str):
        return value.replace("integration-operator-connection-controller", "connection-controller").strip()
    if not isinstance(value, dict):
        return value
    dropped = {*LABELS_OF_HELM, "helm.sh/resource-policy"}
    if value.get("imagePullPolicy") == "IfNotPresent":
        dropped.add("imagePullPolicy")
    kept = {key: plain(item) for key, item in value.items() if key not in dropped}
    # Only kustomize labels none of its roles: labels select nothing there.
    return {key: item for key, item in kept.items() if item != {} and key != "labels"} | labels_that_select(kept)


def labels_that_select(value: Document) -> Document:
    """Return labels that something else depends on, as a mapping with one key or none."""
    labels = {k: v for k, v in value.get("labels", {}).items() if k != "app.kubernetes.io/name"}
    return {"labels": labels} if labels else {}


def drop_selection_of_release(*ways: dict[tuple[str, str, str], Document]) -> None:
    """Drop what makes a ServiceMonitor of a release select this release."""
    for documents in ways:
        for (kind, _, _), document in documents.items():
            if kind == "ServiceMonitor":
                document["spec"]["selector"].pop("matchLabels", None)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_chart_and_the_overlay(variant: str, tmp_path: Path) -> None:
    directories, values = VARIANTS[variant]
    expected = by_name(built(tmp_path, directories))
    actual = by_name(helm.rendered(values))
    drop_selection_of_release(expected, actual)
    assert actual.keys() == expected.keys()
    for key, document in expected.items():
        assert actual[key] == document


@pytest.mark.parametrize("component", COMPONENTS)
def test_the_chart_and_the_component(component: str, tmp_path: Path) -> None:
    directories, components, chosen = COMPONENTS[component]
    expected = by_name(built(tmp_path, directories, components))
    actual = by_name(helm.rendered({"crds": {"enabled": False}, "tenantRoles": False, **chosen}))
    drop_selection_of_release(expected, actual)
    env = actual["Deployment", "integration-operator", "integration-operator"]["spec"]["template"]["spec"]
    for variable in env["containers"][0].get("env", []):
        if variable["name"] == ADMISSION_HOST:  # the chart names it, because a release may have another name
            assert variable["value"] == "integration-operator-admission.integration-operator.svc"
            env["containers"][0]["env"].remove(variable)
    assert actual == expected


def test_the_chart_and_the_overlay_of_some_namespaces(tmp_path: Path) -> None:
    expected = by_name(kustomize.build(kustomize.overlay_of_namespaces(tmp_path, ["shop", "fuse"])))
    values = {"crds": {"enabled": False}, "tenantRoles": False, "settings": {"namespaces": ["shop", "fuse"]}}
    actual = by_name(helm.rendered(values))
    assert actual == expected


def test_a_selector_selects_the_pods_of_its_release_only() -> None:
    values = {"connectionController": {"enabled": True}, "admission": {"enabled": True}}
    documents = helm.rendered(values, release="one")
    pods = {
        d["metadata"]["name"]: d["spec"]["template"]["metadata"]["labels"]
        for d in helm.of_kind(documents, "Deployment")
    }
    selectors = [d["spec"]["selector"] for d in helm.of_kind(documents, "Service")]
    selectors += [d["spec"]["podSelector"]["matchLabels"] for d in helm.of_kind(documents, "NetworkPolicy")]
    selectors += [d["spec"]["selector"]["matchLabels"] for d in helm.of_kind(documents, "PodDisruptionBudget")]
    selectors += [d["spec"]["selector"]["matchLabels"] for d in helm.of_kind(documents, "Deployment")]
    assert len(selectors) == 3 + 3 + 2 + 2
    for selector in selectors:
        assert selector["app.kubernetes.io/instance"] == "one"
        assert sum(selector.items() <= labels.items() for labels in pods.values()) == 1


def test_the_bundle_and_the_base() -> None:
    """OLM grants in the whole cluster what the ClusterRole grants, and runs the same pods."""
    expected = by_name(kustomize.build(DEPLOY / "kustomize/base"))
    documents = by_name(installed("integration-operator", targets=()))
    rules = [r for (kind, _, _), d in documents.items() if kind == "ClusterRole" for r in d["rules"]]
    role = expected["ClusterRole", "", "integration-operator"]["rules"]
    lease = expected["Role", "integration-operator", "integration-operator"]["rules"]
    tenants = [r for d in by_name(kustomize.build(DEPLOY / "kustomize/tenants")).values() for r in d["rules"]]
    assert sorted(map(canonical, rules)) == sorted(map(canonical, role + lease + tenants))
    key = ("Deployment", "integration-operator", "integration-operator")
    actual = documents[key]["spec"]["template"]["spec"]["containers"][0]
    assert [variable["name"] for variable in actual.pop("env")] == ["INTEGRATION_OPERATOR_NAMESPACES"]
    assert documents[key]["spec"] == expected[key]["spec"]
    for kind in ("Service", "PodDisruptionBudget"):
        key = (kind, "integration-operator", "integration-operator")
        assert documents[key] == expected[key]
