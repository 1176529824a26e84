"""The manifests of deploy/kustomize and the kinds of crds/, from which the packages are made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
KUSTOMIZE = ROOT / "deploy" / "kustomize"
CRDS = ROOT / "crds"

Document = dict[str, Any]

RULES = {
    "operator": "base/cluster-role.yaml",
    "lease": "base/role.yaml",
    "watched-namespace": "watched-namespace/role.yaml",
    "authentication-services": "authentication-services/role.yaml",
    "compatibility": "compatibility/cluster-role.yaml",
    "configmaps": "configmaps/role.yaml",
    "keycloak": "keycloak/role.yaml",
    "admission": "admission/cluster-role.yaml",
    "authenticated-metrics": "authenticated-metrics/cluster-role.yaml",
    "metrics-reader": "authenticated-metrics/reader.yaml",
    "connection-controller": "connection-controller/cluster-role.yaml",
    "connection-controller-lease": "connection-controller/role.yaml",
}
"""The files with the rules of each role, by the name that the chart has for it."""


def document(file: str) -> Document:
    """Return the one document of a file in deploy/kustomize."""
    loaded: Document = yaml.safe_load((KUSTOMIZE / file).read_text())
    return loaded


def rules(role: str) -> list[Document]:
    """Return the rules of a role."""
    return list(document(RULES[role])["rules"])


def rules_text(role: str) -> str:
    """Return the rules of a role as they are written, with their comments."""
    text = (KUSTOMIZE / RULES[role]).read_text()
    return text[text.index("rules:\n") :]


def files(directory: str) -> list[Path]:
    """Return the files that a directory of deploy/kustomize applies, in its order."""
    kustomization = document(f"{directory}/kustomization.yaml")
    return [KUSTOMIZE / directory / name for name in kustomization["resources"]]


def definitions() -> list[Path]:
    """Return the files with CustomResourceDefinitions."""
    return sorted(CRDS.glob("*.yaml"))
