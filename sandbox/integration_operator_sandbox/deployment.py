"""Install the operator's kinds and permissions in a cluster, and run the operator.

This is what ``kubectl apply -k deploy/kustomize/crds`` and ``kubectl apply -k deploy/kustomize/base`` do, except for
the Deployment. The permissions are exactly those that are deployed.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import AlreadyExists
from integration_operator.shipped import shipped_directory
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.platforms.crd import FIELD_MANAGER, install_crds, platform_crds, run_blocking

Document = dict[str, Any]

RBAC = "/apis/rbac.authorization.k8s.io/v1"
PERMISSIONS = {
    "cluster-role.yaml": "clusterroles",
    "cluster-role-binding.yaml": "clusterrolebindings",
    "role.yaml": "roles",
    "role-binding.yaml": "rolebindings",
}


def install_all(plane: ControlPlane) -> None:
    """Install the CRDs of EnMasse, Syndesis and the operator, and the permissions of the operator."""
    install_crds(plane.kubeconfig(), [*platform_crds(), *operator_crds()])
    grant_permissions(plane.kubeconfig())
    grant_permissions(plane.kubeconfig(), "connection-controller")


def operator_crds() -> list[Document]:
    """Return the CustomResourceDefinitions that the operator ships."""
    files = sorted(shipped_directory("crds").glob("*.*.yaml"))
    return [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]


def grant_permissions(kubeconfig: Path, deployment: str = "base") -> None:
    """Apply the roles and bindings of one directory of deploy/kustomize, and create the namespaces that they are in."""
    directory = shipped_directory("deploy") / deployment
    files = [file for file in PERMISSIONS if (directory / file).is_file()]
    run_blocking(_grant(kubeconfig, {file: yaml.safe_load((directory / file).read_text()) for file in files}))


def operator_command(command: str, kubeconfig: Path, *, syndesis_url: str = "", port: int = 0) -> list[str]:
    """Return the command line of one of the operator's processes.

    With a port it serves ``/readyz`` and ``/metrics`` there on loopback, without one it listens nowhere.
    """
    line = [sys.executable, "-m", "integration_operator", command, "--log-format", "json"]
    line += ["--kubeconfig", str(kubeconfig), "--probe-port", "0", "--metrics-port", str(port)]
    if port:
        line += ["--bind-address", "127.0.0.1"]
    if syndesis_url:
        line += ["--syndesis-url", syndesis_url]
    return line


async def _grant(kubeconfig: Path, documents: dict[str, Document]) -> None:
    async with Client.from_kubeconfig(kubeconfig) as admin:
        for file, document in documents.items():
            namespace = document["metadata"].get("namespace")
            if namespace:
                with suppress(AlreadyExists):
                    await admin.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
            inside = f"{RBAC}/namespaces/{namespace}" if namespace else RBAC
            path = f"{inside}/{PERMISSIONS[file]}/{document['metadata']['name']}"
            await admin.apply(path, document, manager=FIELD_MANAGER, force=True)
