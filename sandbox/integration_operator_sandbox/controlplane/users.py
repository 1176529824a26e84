"""Users of a local control plane, their tokens and their kubeconfigs.

Each user acts under a name or a uid of its own, so that the audit log tells them apart: the second process of the
operator has the service account of the first. The operator and the connection
controller have the permissions that RBAC grants to the service accounts they are deployed with, and no others.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

CONTEXT = "integration-operator-local"


@dataclass(frozen=True, slots=True)
class User:
    """A user that the API server authenticates by a token."""

    name: str
    groups: tuple[str, ...] = ("system:masters",)


NAMESPACE = "integration-operator"
SERVICE_ACCOUNT = f"system:serviceaccount:{NAMESPACE}:integration-operator"
SERVICE_ACCOUNT_GROUPS = ("system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", "system:authenticated")
USERS = {
    "admin": User("admin"),
    "user": User("user"),
    "bench": User("bench"),
    "enmasse": User("enmasse"),
    "syndesis": User("syndesis"),
    "controller-manager": User("system:kube-controller-manager"),
    "operator": User(SERVICE_ACCOUNT, SERVICE_ACCOUNT_GROUPS),
    "operator-2": User(SERVICE_ACCOUNT, SERVICE_ACCOUNT_GROUPS),
    "connection-controller": User(f"system:serviceaccount:{NAMESPACE}:connection-controller", SERVICE_ACCOUNT_GROUPS),
}
"""Users by the name that ``ControlPlane.kubeconfig`` takes."""


def token_file(tokens: Mapping[str, str]) -> str:
    """Return the content of kube-apiserver's ``--token-auth-file`` for the tokens of ``USERS``; the key is the uid."""
    rows = (f'{token},{USERS[key].name},{key},"{",".join(USERS[key].groups)}"' for key, token in tokens.items())
    return "\n".join(rows) + "\n"


def kubeconfig(server: str, authority: bytes, user: str, token: str) -> dict[str, Any]:
    """Return a kubeconfig with one context, for one user."""
    cluster = {"server": server, "certificate-authority-data": b64encode(authority).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CONTEXT, "cluster": cluster}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": CONTEXT, "context": {"cluster": CONTEXT, "user": user}}],
        "current-context": CONTEXT,
    }
