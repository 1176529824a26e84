"""The OLM bundle: a ClusterServiceVersion from its base and the manifests of deploy/kustomize, and the kinds.

OLM grants ``permissions`` in each namespace of an OperatorGroup, or in the whole cluster if it has none, and
``clusterPermissions`` always in the whole cluster.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from integration_operator.api import names
from tools.packaging import sources
from tools.packaging.sources import Document

OLM = sources.ROOT / "deploy" / "olm"
BUNDLE = OLM / "bundle"
BASE = OLM / "base.clusterserviceversion.yaml"

OBJECTS = (
    "base/service.yaml",
    "base/pod-disruption-budget.yaml",
    "tenants/view.yaml",
    "tenants/edit.yaml",
    "tenants/service-binding.yaml",
)
"""Objects beside the ClusterServiceVersion, of kinds that OLM takes. Older releases of it take no NetworkPolicy."""

TARGETS = {"fieldRef": {"fieldPath": "metadata.annotations['olm.targetNamespaces']"}}
"""Where OLM writes the namespaces of the OperatorGroup; empty if it has none."""

NOTICE = "# Generated from deploy/kustomize and {base}: make packages\n"


def generated() -> dict[Path, str]:
    """Return the content of each generated file."""
    manifests = BUNDLE / "manifests"
    bundle = {manifests / f"{names.FIELD_MANAGER}.clusterserviceversion.yaml": _text(cluster_service_version())}
    bundle |= {manifests / file.name: file.read_text() for file in sources.definitions()}
    for file in OBJECTS:
        document = sources.document(file)
        document["metadata"].pop("namespace", None)  # OLM sets it
        name, kind = document["metadata"]["name"], document["kind"].lower()
        bundle[manifests / f"{name}.{kind}.yaml"] = _text(document)
    return bundle


def cluster_service_version() -> Document:
    """Return the ClusterServiceVersion, with what the operator may do and how it runs."""
    document: Document = yaml.safe_load(BASE.read_text())
    deployment = sources.document("base/deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["env"] = [{"name": f"{names.ENV_PREFIX}NAMESPACES", "valueFrom": TARGETS}]
    account = deployment["spec"]["template"]["spec"]["serviceAccountName"]
    in_namespaces = sources.rules("watched-namespace") + sources.rules("lease")
    of_the_cluster = [rule for rule in sources.rules("operator") if rule not in in_namespaces]
    document["spec"]["install"] = {
        "strategy": "deployment",
        "spec": {
            "permissions": [{"serviceAccountName": account, "rules": in_namespaces}],
            "clusterPermissions": [{"serviceAccountName": account, "rules": of_the_cluster}],
            "deployments": [
                {
                    "name": deployment["metadata"]["name"],
                    "label": deployment["metadata"]["labels"],
                    "spec": deployment["spec"],
                }
            ],
        },
    }
    document["metadata"]["annotations"]["containerImage"] = container["image"]
    document["spec"]["relatedImages"] = [{"name": "operator", "image": container["image"]}]
    return document


def _text(document: Document) -> str:
    notice = NOTICE.format(base=BASE.relative_to(sources.ROOT))
    return notice + yaml.safe_dump(document, sort_keys=False, width=160, allow_unicode=True)
