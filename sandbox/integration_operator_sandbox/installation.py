"""Put the operator's own kinds and permissions into a cluster: what ``kubectl apply -k deploy/kustomize/crds`` and
``kubectl apply -k deploy/kustomize/base`` do of it.

The permissions are exactly those that are deployed, so what runs against a local control plane is what runs for real.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from integration_operator.runtime.client import Client
from integration_operator.shipped import shipped_directory
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.kinds import FIELD_MANAGER, install_kinds, platform_definitions, waiting

Document = dict[str, Any]

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PERMISSIONS = {
    "cluster-role.yaml": "clusterroles",
    "cluster-role-binding.yaml": "clusterrolebindings",
    "role.yaml": "roles",
    "role-binding.yaml": "rolebindings",
}


def install_all(plane: ControlPlane) -> None:
    """Everything that the operator meets on a local control plane: the platforms' stand-ins, its kinds, its
    permissions.
    """
    install_kinds(plane.kubeconfig(), [*platform_definitions(), *own_definitions()])
    grant_permissions(plane.kubeconfig())
    grant_permissions(plane.kubeconfig(), "connection-controller")


def own_definitions() -> list[Document]:
    """The CustomResourceDefinitions of the operator's own kinds, as they are shipped."""
    files = sorted(shipped_directory("crds").glob("*.*.yaml"))
    return [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]


def grant_permissions(kubeconfig: Path, deployment: str = "base") -> None:
    """Let a service account do what a directory of deploy/kustomize gives it, and nothing else."""
    directory = shipped_directory("deploy") / deployment
    files = [file for file in PERMISSIONS if (directory / file).is_file()]
    waiting(_grant(kubeconfig, {file: yaml.safe_load((directory / file).read_text()) for file in files}))


async def _grant(kubeconfig: Path, documents: dict[str, Document]) -> None:
    async with Client.from_kubeconfig(kubeconfig) as admin:
        for file, document in documents.items():
            namespace = document["metadata"].get("namespace")
            inside = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
            path = f"{inside}/{PERMISSIONS[file]}/{document['metadata']['name']}"
            await admin.apply(path, document, manager=FIELD_MANAGER, force=True)
