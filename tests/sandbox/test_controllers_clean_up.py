"""The controllers of the sandbox delete orphans, empty namespaces and create service accounts, as Kubernetes does."""

from __future__ import annotations

import time
import uuid
from typing import Any

import pytest

from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import ApiError, NotFound
from integration_operator_sandbox.controlplane import CONTROLLER_MANAGER, ControlPlane
from integration_operator_sandbox.platforms import install_crds
from tests.support.simulation import eventually

NAMESPACES = "/api/v1/namespaces"
WIDGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.org"},
    "spec": {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "widgets", "kind": "Widget"},
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}},
        ],
    },
}


async def is_gone(client: Client, path: str) -> bool:
    try:
        await client.get(path)
    except NotFound:
        return True
    return False


async def orphan(client: Client, namespace: str, api_version: str, kind: str, plural: str, **spec: Any) -> str:
    """Create an owner and a ConfigMap that it owns, delete the owner, and return the path of the ConfigMap."""
    path = f"/apis/{api_version}/namespaces/{namespace}/{plural}"
    name = f"owner-{uuid.uuid4().hex[:8]}"
    owner = await client.post(path, {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **spec})
    reference = {"apiVersion": api_version, "kind": kind, "name": name, "uid": owner["metadata"]["uid"]}
    metadata = {"name": f"of-{name}", "ownerReferences": [reference]}
    await client.post(f"{NAMESPACES}/{namespace}/configmaps", {"metadata": metadata})
    await client.delete(f"{path}/{name}")
    return f"{NAMESPACES}/{namespace}/configmaps/of-{name}"


async def test_orphan_of_a_kind_that_was_there_before_is_deleted_at_once(client: Client, namespace: str) -> None:
    spec = {"type": "standard", "plan": "small"}
    path = await orphan(client, namespace, "enmasse.io/v1beta1", "AddressSpace", "addressspaces", spec=spec)
    began = time.monotonic()
    await eventually("the orphan is deleted", lambda: is_gone(client, path))
    assert time.monotonic() - began < 5.0, "the next look for new kinds is up to 30 s away"


async def test_orphan_of_a_kind_that_came_later_is_deleted_too(monkeypatch: pytest.MonkeyPatch) -> None:
    flags = ControlPlane._flags

    def frequent(plane: ControlPlane, name: str) -> list[str]:
        return [*flags(plane, name), *(["--gc-sync-period=1s"] if name == CONTROLLER_MANAGER else [])]

    monkeypatch.setattr(ControlPlane, "_flags", frequent)
    with ControlPlane.start() as plane:
        install_crds(plane.kubeconfig(), [WIDGETS])
        async with Client.from_kubeconfig(plane.kubeconfig()) as admin:
            path = await orphan(admin, "default", "example.org/v1", "Widget", "widgets")
            await eventually("the orphan is deleted", lambda: is_gone(admin, path), within=20)


async def test_child_of_a_living_owner_is_kept(client: Client, namespace: str) -> None:
    configmaps = f"{NAMESPACES}/{namespace}/configmaps"
    owner = await client.post(configmaps, {"metadata": {"name": "owner"}})
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": owner["metadata"]["uid"]}
    await client.post(configmaps, {"metadata": {"name": "child", "ownerReferences": [reference]}})
    spec = {"type": "standard", "plan": "small"}
    path = await orphan(client, namespace, "enmasse.io/v1beta1", "AddressSpace", "addressspaces", spec=spec)
    await eventually("an orphan beside it is deleted", lambda: is_gone(client, path))
    await client.get(f"{configmaps}/child")


async def test_namespace_gets_a_service_account_and_is_emptied_when_it_is_deleted(client: Client) -> None:
    name = f"emptied-{uuid.uuid4().hex[:8]}"
    await client.post(NAMESPACES, {"metadata": {"name": name}})

    async def account() -> bool:
        return not await is_gone(client, f"{NAMESPACES}/{name}/serviceaccounts/default")

    await eventually("the service account default is created", account)
    await client.post(f"{NAMESPACES}/{name}/configmaps", {"metadata": {"name": "content"}})
    await client.delete(f"{NAMESPACES}/{name}")
    await eventually("the namespace is deleted", lambda: is_gone(client, f"{NAMESPACES}/{name}"), within=20)
    with pytest.raises(ApiError):
        await client.get(f"{NAMESPACES}/{name}/configmaps/content")


async def test_token_of_a_service_account_comes_from_the_api_server(client: Client, namespace: str) -> None:
    """Check that no controller needs to sign tokens."""
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 600}}
    path = f"{NAMESPACES}/{namespace}/serviceaccounts/default"

    async def account() -> bool:
        return not await is_gone(client, path)

    await eventually("the service account default is created", account)
    assert (await client.post(f"{path}/token", request))["status"]["token"].count(".") == 2
