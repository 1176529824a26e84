"""The OLM bundle as OLM installs it: the objects that it creates from the ClusterServiceVersion of the bundle.

OLM itself runs in a cluster only. It makes Roles of ``permissions`` in the namespace of the ClusterServiceVersion and
in each target namespace, or ClusterRoles if the OperatorGroup has no targets (``ensureRBACInTargetNamespace`` in
pkg/controller/operators/olm/operatorgroup.go of operator-lifecycle-manager).
"""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support import go_programs
from tests.support.documents import Document

MODULE = Path(__file__).parent / "olm_tools"
TAGS = "containers_image_openpgp,exclude_graphdriver_btrfs,json1"
"""As opm is built, without a C compiler."""
OLM = Path(__file__).parents[2] / "deploy" / "olm"
BUNDLE = OLM / "bundle"
TARGETS = "metadata.annotations['olm.targetNamespaces']"
RBAC = "rbac.authorization.k8s.io"
CLUSTER_SCOPED = ("ClusterRole", "CustomResourceDefinition")


def cluster_service_version() -> Document:
    """Return the ClusterServiceVersion of the bundle."""
    (file,) = (BUNDLE / "manifests").glob("*.clusterserviceversion.yaml")
    loaded: Document = yaml.safe_load(file.read_text())
    return loaded


def installed(namespace: str, *, targets: Sequence[str], prefix: str = "olm") -> list[Document]:
    """Return the objects of an installation in a namespace; ``targets`` are those of its OperatorGroup, none for all.

    ``prefix`` begins the names of roles and bindings, which OLM makes up.
    """
    strategy = cluster_service_version()["spec"]["install"]["spec"]
    documents = [_in_namespace(yaml.safe_load(file.read_text()), namespace) for file in _others()]
    accounts = {entry["serviceAccountName"] for entry in (*strategy["permissions"], *strategy["clusterPermissions"])}
    documents += [_object("v1", "ServiceAccount", account, namespace) for account in sorted(accounts)]
    for entry in strategy["clusterPermissions"]:
        documents += _grant(f"{prefix}-cluster", "", namespace, entry)
    for entry in strategy["permissions"]:
        for target in dict.fromkeys([namespace, *targets]) if targets else [""]:
            documents += _grant(f"{prefix}-namespaced", target, namespace, entry)
    for deployment in strategy["deployments"]:
        document = _object("apps/v1", "Deployment", deployment["name"], namespace)
        document["metadata"]["labels"] = deployment["label"]
        documents.append({**document, "spec": _projected(deployment["spec"], ",".join(targets))})
    return documents


def _others() -> list[Path]:
    return [file for file in sorted((BUNDLE / "manifests").iterdir()) if "clusterserviceversion" not in file.name]


def _object(version: str, kind: str, name: str, namespace: str) -> Document:
    return _in_namespace({"apiVersion": version, "kind": kind, "metadata": {"name": name}}, namespace)


def _in_namespace(document: Document, namespace: str) -> Document:
    if namespace and document["kind"] not in CLUSTER_SCOPED:
        document["metadata"]["namespace"] = namespace
    return document


def _grant(name: str, target: str, home: str, entry: Document) -> list[Document]:
    """Return a Role in the namespace ``target``, or a ClusterRole if it is empty, bound to an account in ``home``."""
    kind = "Role" if target else "ClusterRole"
    role = _object(f"{RBAC}/v1", kind, name, target)
    binding = _object(f"{RBAC}/v1", f"{kind}Binding", name, target)
    if target:
        binding["metadata"]["namespace"] = target
    binding["roleRef"] = {"apiGroup": RBAC, "kind": kind, "name": name}
    binding["subjects"] = [{"kind": "ServiceAccount", "name": entry["serviceAccountName"], "namespace": home}]
    return [{**role, "rules": entry["rules"]}, binding]


def _projected(spec: Document, targets: str) -> dict[str, Any]:
    """Return the spec of a Deployment with the annotation that OLM sets on its pods, read into its variables."""
    spec = copy.deepcopy(spec)
    for container in spec["template"]["spec"]["containers"]:
        for variable in container.get("env", ()):
            if variable.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath") == TARGETS:
                variable.update(value=targets)
                del variable["valueFrom"]
    return spec


def program() -> str:
    """Return the program that judges bundles and catalogs; build it first if this machine has none."""
    return str(go_programs.programs_of(MODULE, ["./olm"], tags=TAGS) / "olm")


def findings(bundle: Path) -> list[str]:
    """Return the errors and warnings of all validators of bundles."""
    return _run("bundle", str(bundle)).splitlines()


def catalog(template: Path) -> list[Document]:
    """Return the catalog of a template whose bundles are directories.

    Raises ``OLMError`` if it, or its upgrade graph, is invalid.
    """
    text, decoder, entries = _run("catalog", str(template)), json.JSONDecoder(), []
    while text := text.strip():
        entry, end = decoder.raw_decode(text)
        entries.append(entry)
        text = text[end:]
    return entries


class OLMError(Exception):
    """A bundle cannot be read, or a catalog is invalid; the message says why."""


def _run(*arguments: str) -> str:
    done = subprocess.run([program(), *arguments], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OLMError(done.stderr)
    return done.stdout
