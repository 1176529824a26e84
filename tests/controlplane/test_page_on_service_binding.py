"""The manifests of docs/service-binding.md work as they are, and the Secret has what the page says."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from integration_operator.runtime.ref import Ref
from tests.support.documents import Document, decoded, path
from tests.support.world import World

PAGE = (Path(__file__).parents[2] / "docs/service-binding.md").read_text()
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
STRICT = {"dryRun": "All", "fieldValidation": "Strict"}

TEXT: Document = {"type": "string"}
REFERENCE: Document = {
    "type": "object",
    "required": ["apiVersion", "kind"],
    "properties": {"apiVersion": TEXT, "kind": TEXT, "name": TEXT},
}
SERVICE_BINDING: Document = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "servicebindings.servicebinding.io"},
    "spec": {
        "group": "servicebinding.io",
        "scope": "Namespaced",
        "names": {"kind": "ServiceBinding", "plural": "servicebindings"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["service", "workload"],
                                "properties": {"name": TEXT, "service": REFERENCE, "workload": REFERENCE},
                            }
                        },
                    }
                },
            }
        ],
    },
}
"""The fields of a ServiceBinding that the specification 1.1 requires."""


def manifests(shop: str, apps: str) -> dict[str, Document]:
    """Return the manifests of the page by kind, in namespaces of a test."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    texts = (re.sub(r"\bshop\b", shop, re.sub(r"(?<=namespace: )apps\b", apps, block)) for block in blocks)
    return {document["kind"]: document for document in map(yaml.safe_load, texts)}


@asynccontextmanager
async def service_bindings(world: World) -> AsyncIterator[str]:
    """Serve the kind ServiceBinding, and yield the root of its paths."""
    where = f"{CRDS}/{SERVICE_BINDING['metadata']['name']}"
    await world.kubectl.post(CRDS, SERVICE_BINDING)

    async def established() -> bool:
        status = (await world.kubectl.get(where)).get("status") or {}
        return {"Established": "True"}.items() <= {
            c["type"]: c["status"] for c in status.get("conditions") or ()
        }.items()

    await world.eventually("ServiceBinding is served", established)
    try:
        yield "/apis/servicebinding.io/v1"
    finally:
        await world.kubectl.delete(where, {})


async def test_its_manifests(world: World) -> None:
    async with world.platforms(), world.operator(), service_bindings(world) as root:
        shop, apps = await world.namespace("shop"), await world.namespace("apps")
        await world.space(shop, "orders", allowed=apps)
        page = manifests(shop, apps)
        assert set(page) == {"Integration", "Deployment", "ServiceBinding"}
        await world.kubectl.post(path("Integration", apps), page["Integration"], {"fieldValidation": "Strict"})
        integration = await world.ready(Ref(apps, page["Integration"]["metadata"]["name"]))
        secret = await world.get("Secret", Ref(apps, integration["status"]["binding"]["name"]))
        assert secret is not None

        deployment = page["Deployment"]
        await world.kubectl.post(f"/apis/apps/v1/namespaces/{apps}/deployments", deployment, STRICT)
        pod = deployment["spec"]["template"]["spec"]
        (container,), (volume,) = pod["containers"], pod["volumes"]
        assert volume["secret"]["secretName"] == secret["metadata"]["name"]
        (mount,) = container["volumeMounts"]
        variables = {variable["name"]: variable["value"] for variable in container["env"]}
        assert mount["name"] == volume["name"]
        assert re.fullmatch(rf"{variables['SERVICE_BINDING_ROOT']}/[a-z0-9.-]+", mount["mountPath"])
        for file in re.findall(rf"`{mount['mountPath']}/([a-z-]+)`", PAGE):
            assert file in secret["data"]

        binding = page["ServiceBinding"]
        await world.kubectl.post(f"{root}/namespaces/{apps}/servicebindings", binding, STRICT)
        service, workload = binding["spec"]["service"], binding["spec"]["workload"]
        assert (service["kind"], service["apiVersion"]) == (integration["kind"], integration["apiVersion"])
        assert service["name"] == integration["metadata"]["name"]
        assert (workload["kind"], workload["name"]) == ("Deployment", deployment["metadata"]["name"])

        rows = re.findall(r"(?m)^\| (`[a-z`, -]+`) \|", PAGE.split("## Entries of the Secret")[1].split("\n## ")[0])
        documented = {entry for row in rows for entry in re.findall(r"`([a-z-]+)`", row)}
        assert documented == set(decoded(secret)), "the page has each entry of the Secret"
