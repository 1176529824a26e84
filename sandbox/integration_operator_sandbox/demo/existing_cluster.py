"""An existing cluster, such as one of kind, in place of a control plane of the sandbox.

Everything that the demo installs is deleted afterwards. A cluster that serves EnMasse's or Syndesis's kinds is refused,
because simulated and real platforms would undo each other's changes.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from integration_operator.runtime import kubeconfig
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import ApiError, NotFound
from integration_operator.runtime.kubeconfig import ClusterNotFound
from integration_operator_sandbox.deployment import RBAC, grant_permissions, operator_crds
from integration_operator_sandbox.errors import SandboxError
from integration_operator_sandbox.platforms.crd import DEFINITIONS, install_crds, platform_crds, run_blocking

Document = dict[str, Any]

NAMESPACE = SERVICE_ACCOUNT = "integration-operator"
TOKEN_SECONDS = 3600
PLATFORMS = ("enmasse.io", "user.enmasse.io", "admin.enmasse.io", "syndesis.io")


class ExistingCluster:
    """The cluster of a kubeconfig. The operator gets a token of its own service account, all others use the file."""

    def __init__(self, given: Path) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="integration-operator-"))
        self._given = given

    def __enter__(self) -> Self:
        try:
            run_blocking(self._refuse_platforms())
            install_crds(self._given, [*platform_crds(), *operator_crds()])
            grant_permissions(self._given)
            run_blocking(self._make_service_account())
        except BaseException as error:
            self.__exit__()
            if isinstance(error, (ApiError, ClusterNotFound)):
                raise SandboxError(str(error)) from error
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if (self.directory / "operator.kubeconfig").exists():
            with suppress(ApiError):
                run_blocking(self._remove())
        shutil.rmtree(self.directory, ignore_errors=True)

    def kubeconfig(self, user: str = "admin") -> Path:
        """Return the kubeconfig of a user."""
        return self.directory / "operator.kubeconfig" if user == "operator" else self._given

    def failed(self) -> str | None:
        """Return None: the components of this cluster are not watched."""
        return None

    async def _refuse_platforms(self) -> None:
        async with Client.from_kubeconfig(self._given) as admin:
            for group in PLATFORMS:
                with suppress(NotFound):
                    await admin.get(f"/apis/{group}")
                    raise SandboxError(
                        f"the cluster serves {group} already: use a cluster without EnMasse and Syndesis"
                    )

    async def _make_service_account(self) -> None:
        """Create the service account as deploy/ does, in its namespace, and a kubeconfig with a token of it."""
        async with Client.from_kubeconfig(self._given) as admin:
            accounts = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
            await admin.post(accounts, {"metadata": {"name": SERVICE_ACCOUNT}})
            request = {
                "apiVersion": "authentication.k8s.io/v1",
                "kind": "TokenRequest",
                "spec": {"expirationSeconds": TOKEN_SECONDS},
            }
            answer = await admin.post(f"{accounts}/{SERVICE_ACCOUNT}/token", request)
        document = kubeconfig.load([self._given]).document
        current = next(c["context"] for c in document["contexts"] if c["name"] == document["current-context"])
        document["users"] = [{"name": "operator", "user": {"token": answer["status"]["token"]}}]
        document["contexts"] = [{"name": "operator", "context": {"cluster": current["cluster"], "user": "operator"}}]
        document["current-context"] = "operator"
        file = self.directory / "operator.kubeconfig"
        file.touch(mode=0o600)
        file.write_text(json.dumps(document))

    async def _remove(self) -> None:
        async with Client.from_kubeconfig(self._given) as admin:
            names = [d["metadata"]["name"] for d in (*platform_crds(), *operator_crds())]
            paths = [f"{DEFINITIONS}/{name}" for name in names]
            paths += [f"{RBAC}/{plural}/integration-operator" for plural in ("clusterroles", "clusterrolebindings")]
            for path in (*paths, f"/api/v1/namespaces/{NAMESPACE}", "/api/v1/namespaces/shop"):
                with suppress(NotFound):
                    await admin.delete(path)
