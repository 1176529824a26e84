"""deploy/kustomize/admission-policy: the API server warns by itself, no operator runs, and nothing is rejected."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_operator.domain.policies.rotation import DEFAULT_OVERLAP
from integration_operator.runtime.client import APPLY
from integration_operator.runtime.ref import Ref
from tests.support.admission import DEPLOY, integration
from tests.support.documents import Document
from tests.support.gitops import Kubectl
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.world import World

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)

GROUP = "/apis/admissionregistration.k8s.io/v1"
PLURALS = {
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
}
PROVIDED = {"credentialsSecretRef": {"name": "own"}}
SPECS: dict[str, tuple[dict[str, Any], str]] = {
    "plain text": ({"tls": "disabled"}, "spec.tls is disabled"),
    "as long as the default overlap": ({"rotation": {"every": "1h"}}, "Set a shorter spec.rotation.overlap"),
    "an own Secret": ({"rotation": {"every": "720h"}, **PROVIDED}, "has no effect with spec.credentialsSecretRef"),
    "TLS": ({"tls": "auto"}, ""),
    "longer than the default overlap": ({"rotation": {"every": "1h1s"}}, ""),
    "a short overlap": ({"rotation": {"every": "30m", "overlap": "5m"}}, ""),
    "an overlap alone": ({"rotation": {"overlap": "2h"}, **PROVIDED}, ""),
}


@pytest.fixture
async def kubectl(world: World, tmp_path: Path) -> AsyncIterator[Kubectl]:
    """Install the policies, and wait until the API server evaluates them."""
    files = [DEPLOY / "admission-policy" / name for name in ("applied.yaml", "deleted.yaml")]
    documents = [document for file in files for document in yaml.safe_load_all(file.read_text())]
    paths = [f"{GROUP}/{PLURALS[document['kind']]}/{document['metadata']['name']}" for document in documents]
    for path, document in zip(paths, documents, strict=True):
        query = {"fieldManager": "kubectl", "force": "true", "fieldValidation": "Strict"}
        await world.kubectl.patch(path, document, query, content_type=APPLY)
    made = Kubectl(world.control_plane.kubeconfig("user"), tmp_path)
    namespace = await world.namespace("probe")
    probe = integration(namespace, "probe", "orders", tls="disabled", deletionPolicy="Retain")
    await made("apply", "-f", "-", stdin=probe)
    delete = ("delete", "integration", "probe", "-n", namespace)
    await world.eventually("a deletion is warned of", evaluated(made, *delete, "--dry-run=server"), every=0.2)
    create = ("create", "--dry-run=server", "-f", "-")
    probe["metadata"]["name"] = "other"
    await world.eventually("a creation is warned of", evaluated(made, *create, stdin=probe), every=0.2)
    yield made
    for path in paths:
        await world.kubectl.delete(path)


def evaluated(kubectl: Kubectl, *arguments: str, stdin: Document | None = None) -> Callable[[], Any]:
    async def check() -> bool:
        return "Warning: " in await kubectl(*arguments, stdin=stdin)

    return check


async def test_each_warning(world: World, kubectl: Kubectl) -> None:
    shop = await world.namespace("shop")
    for number, (what, (spec, says)) in enumerate(SPECS.items()):
        document = integration(shop, f"mine-{number}", "orders", **spec)
        for _ in ("created", "configured"):
            output = await kubectl("apply", "-f", "-", stdin=document)
            assert output.count("Warning: ") == bool(says), (what, output)
            assert says in output, (what, output)
            document["metadata"]["labels"] = {"changed": "yes"}
        assert await world.get("Integration", Ref(shop, f"mine-{number}")) is not None


async def test_a_deletion_that_leaves_something(world: World, kubectl: Kubectl) -> None:
    shop = await world.namespace("shop")
    for name, policy in (("kept", {"deletionPolicy": "Retain"}), ("gone", {"deletionPolicy": "Delete"}), ("none", {})):
        await kubectl("apply", "-f", "-", stdin=integration(shop, name, "orders", **policy))
        output = await kubectl("delete", "integration", name, "-n", shop)
        assert ("Warning: " in output) == (name == "kept"), output
        assert await world.get("Integration", Ref(shop, name)) is None


async def test_an_integration_without_a_spec(world: World, kubectl: Kubectl) -> None:
    shop = await world.namespace("shop")
    document = integration(shop, "bare", "orders")
    del document["spec"]
    assert "Warning: " not in await kubectl("apply", "-f", "-", stdin=document)
    assert "Warning: " not in await kubectl("delete", "integration", "bare", "-n", shop)


def test_the_policy_knows_the_default_overlap() -> None:
    text = (DEPLOY / "admission-policy" / "applied.yaml").read_text()
    hours = DEFAULT_OVERLAP.total_seconds() / 3600
    assert f"> duration('{hours:g}h')" in text
    assert f"default of spec.rotation.overlap, {hours:g}h" in text
