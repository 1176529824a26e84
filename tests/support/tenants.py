"""Tenants with limited tokens: giver, receiver, editor and outsider, with the Roles of real clusters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import yaml

from integration_operator.runtime.client import Client
from tests.support.documents import Document
from tests.support.world import World

RBAC = "/apis/rbac.authorization.k8s.io/v1"
EVERY_VERB = ["get", "list", "watch", "create", "update", "patch", "delete"]

RIGHTS: dict[str, list[Document]] = {
    "giver": [
        {"apiGroups": ["enmasse.io"], "resources": ["addressspaces"], "verbs": EVERY_VERB},
        {
            "apiGroups": ["user.enmasse.io"],
            "resources": ["messagingusers", "messagingusers/status"],
            "verbs": EVERY_VERB,
        },
        {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": EVERY_VERB},
    ],
    "receiver": [
        {"apiGroups": ["syndesis.io"], "resources": ["syndesises", "connections"], "verbs": EVERY_VERB},
        {"apiGroups": ["integreatly.org"], "resources": ["integrations", "integrations/status"], "verbs": EVERY_VERB},
        {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": EVERY_VERB},
    ],
    "editor": [{"apiGroups": ["integreatly.org"], "resources": ["integrations"], "verbs": EVERY_VERB}],
}
RIGHTS["stranger"] = [*RIGHTS["giver"], *RIGHTS["receiver"]]
"""In its own namespace a stranger may write whatever it likes."""


@asynccontextmanager
async def tenant(world: World, role: str, namespace: str, directory: Path) -> AsyncIterator[Client]:
    """Yield a client with the token of a service account that has one tenant's rights in one namespace only."""
    async with Client.from_kubeconfig(
        await kubeconfig_of(world, f"{role}-{world.tag}", [namespace], RIGHTS[role], directory)
    ) as client:
        yield client


async def kubeconfig_of(
    world: World, name: str, namespaces: Sequence[str], rules: list[Document], directory: Path
) -> Path:
    """Make a service account in the first of the namespaces with rights in all of them, and return its kubeconfig."""
    home = namespaces[0]
    await world.kubectl.post(f"/api/v1/namespaces/{home}/serviceaccounts", {"metadata": {"name": name}})
    for namespace in namespaces:
        role = {"metadata": {"name": name}, "rules": rules}
        await world.kubectl.post(f"{RBAC}/namespaces/{namespace}/roles", role)
        binding = {
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": home}],
        }
        await world.kubectl.post(f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
    file = directory / f"{name}-{home}"
    write_kubeconfig(world, file, await _new_token(world, home, name), home)
    return file


async def token_of(world: World, name: str, paths: Sequence[str] = (), *, role: str = "") -> str:
    """Create a service account that may get these paths of servers, or has a ClusterRole; return a token of it."""
    namespace, full = await world.namespace(name), f"{name}-{world.tag}"
    await world.kubectl.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    if paths:
        rules = [{"nonResourceURLs": list(paths), "verbs": ["get"]}]
        await world.kubectl.post(f"{RBAC}/clusterroles", {"metadata": {"name": full}, "rules": rules})
    if role or paths:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role or full}
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]
        binding = {"metadata": {"name": full}, "roleRef": reference, "subjects": subjects}
        await world.kubectl.post(f"{RBAC}/clusterrolebindings", binding)
    return await _new_token(world, namespace, name)


async def _new_token(world: World, namespace: str, account: str) -> str:
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    made = await world.kubectl.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", request)
    return str(made["status"]["token"])


def write_kubeconfig(world: World, file: Path, token: str, namespace: str) -> None:
    """Write a kubeconfig with this token, whose context is in this namespace."""
    document = yaml.safe_load(world.control_plane.kubeconfig("user").read_text())
    document["users"] = [{"name": "one", "user": {"token": token}}]
    context = {"cluster": document["clusters"][0]["name"], "user": "one", "namespace": namespace}
    document["contexts"], document["current-context"] = [{"name": "one", "context": context}], "one"
    file.write_text(yaml.safe_dump(document))
