"""Tenants with limited tokens: giver, receiver, editor and stranger, as RBAC Roles of real clusters give them
rights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml
from world import World

from integration_operator.kube.client import Client

Document = dict[str, Any]
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
    """A client with the token of a service account that has one tenant's rights in one namespace, and no other."""
    name = f"{role}-{world.tag}"
    await world.person.post(f"/api/v1/namespaces/{namespace}/serviceaccounts", {"metadata": {"name": name}})
    await world.person.post(f"{RBAC}/namespaces/{namespace}/roles", {"metadata": {"name": name}, "rules": RIGHTS[role]})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    await world.person.post(f"{RBAC}/namespaces/{namespace}/rolebindings", binding)
    request = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = await world.person.post(f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token", request)
    document = yaml.safe_load(world.control_plane.kubeconfig("person").read_text())
    document["users"] = [
        {"name": user["name"], "user": {"token": token["status"]["token"]}} for user in document["users"]
    ]
    file = directory / f"{name}-{namespace}"
    file.write_text(yaml.safe_dump(document))
    async with Client.from_kubeconfig(file) as client:
        yield client
