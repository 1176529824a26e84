"""Helm upgrades the kinds with the chart, keeps what the operator wrote, and leaves no object but the kinds behind."""

from __future__ import annotations

import base64
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from integration_operator.runtime.errors import NotFound
from integration_operator.runtime.self_signed import self_signed
from integration_operator_sandbox.controlplane.users import NAMESPACE
from tests.support.documents import Document
from tests.support.gitops import Kubectl
from tests.support.helm import CHART, NAME, Helm, HelmError
from tests.support.world import World

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
WEBHOOK = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/integration-operator"
RELEASE = (NAME, "--namespace", NAMESPACE)
KINDS = "deployments,services,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,networkpolicies"


@pytest.fixture
async def helm(bare: World, tmp_path: Path) -> AsyncIterator[Helm]:
    """Return Helm on a control plane, and uninstall the chart at the end."""
    command = Helm(bare.control_plane.kubeconfig(), tmp_path)
    yield command
    await command("uninstall", *RELEASE, "--ignore-not-found")


def newer(directory: Path) -> Path:
    """Return a chart of the next version, whose Integration has another printer column."""
    chart = directory / "newer"
    shutil.copytree(CHART, chart)
    file = chart / "files" / "crds" / "integrations.integreatly.org.yaml"
    definition = yaml.safe_load(file.read_text())
    column = {"name": "Newer", "type": "string", "jsonPath": ".metadata.name"}
    definition["spec"]["versions"][0]["additionalPrinterColumns"].append(column)
    file.write_text(yaml.safe_dump(definition))
    (chart / "Chart.yaml").write_text((CHART / "Chart.yaml").read_text().replace("version: 0.1.0", "version: 0.2.0", 1))
    return chart


async def columns(world: World) -> list[str]:
    """Return the names of the printer columns of Integrations."""
    definition = await world.kubectl.get(f"{DEFINITIONS}/integrations.integreatly.org")
    return [column["name"] for column in definition["spec"]["versions"][0]["additionalPrinterColumns"]]


async def test_kinds_of_kubectl_are_taken_over_upgraded_and_kept(bare: World, helm: Helm, tmp_path: Path) -> None:
    pair = await bare.pair()
    spec = {"client": "syndesis", "addressSpaceRef": pair.space._asdict()}
    await bare.create("Integration", pair.syndesis.namespace, "mine", spec=spec)
    with pytest.raises(HelmError, match="exists and cannot be imported"):
        await helm("install", *RELEASE, str(CHART))
    await helm("install", *RELEASE, str(CHART), "--take-ownership")
    assert "Newer" not in await columns(bare)
    with pytest.raises(HelmError, match="conflict"):  # the fields are also those of who applied them before
        await helm("upgrade", *RELEASE, str(newer(tmp_path)))
    await helm("upgrade", *RELEASE, str(tmp_path / "newer"), "--force-conflicts")
    assert "Newer" in await columns(bare)
    await helm("rollback", *RELEASE, "1")
    assert "Newer" not in await columns(bare)
    await helm("uninstall", *RELEASE)
    kubectl = Kubectl(bare.control_plane.kubeconfig(), tmp_path)
    left = await kubectl("get", KINDS, "-A", "-l", "app.kubernetes.io/managed-by=Helm", "-o", "name")
    assert left == ""
    kept = await kubectl("get", "integrations", "-n", pair.syndesis.namespace, "-o", "name")
    assert kept.strip() == "integration.integreatly.org/mine", "the kind stays, and so does each Integration"
    await helm("install", *RELEASE, str(CHART))


async def test_an_upgrade_keeps_what_the_operator_wrote(bare: World, helm: Helm) -> None:
    """The certificates and the path of the webhook are the operator's."""
    values: Document = {"admission": {"enabled": True}}
    await helm("install", *RELEASE, str(CHART), "--take-ownership", values=values)
    bundle = base64.b64encode(self_signed("operator", "operator")[0]).decode()
    written = {"caBundle": bundle, "service": {"path": "/0123456789abcdef"}}
    body = {"webhooks": [{"name": "integrations.integreatly.org", "clientConfig": written}]}
    strategic = "application/strategic-merge-patch+json"
    await bare.kubectl.patch(WEBHOOK, body, content_type=strategic)
    await helm("upgrade", *RELEASE, str(CHART), values={**values, "replicas": 3})
    (webhook,) = (await bare.kubectl.get(WEBHOOK))["webhooks"]
    assert webhook["clientConfig"]["caBundle"] == bundle
    assert webhook["clientConfig"]["service"]["path"] == "/0123456789abcdef"
    await helm("upgrade", *RELEASE, str(CHART), values={"admission": {"enabled": False}})
    with pytest.raises(NotFound):
        await bare.kubectl.get(WEBHOOK)
