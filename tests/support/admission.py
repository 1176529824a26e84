"""The webhook and the policy of deploy/kustomize on a control plane, and what kubectl prints when a user applies."""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from integration_operator.admission.registration import STRATEGIC_MERGE, WEBHOOK
from integration_operator.runtime.errors import NotFound
from integration_operator_sandbox.deployment import grant_permissions
from integration_operator_sandbox.localhost.machine import free_port
from tests.support.documents import Document
from tests.support.gitops import Kubectl
from tests.support.world import World

DEPLOY = Path(__file__).parents[2] / "deploy" / "kustomize"
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
NAME = "integration-operator"
HOST = "127.0.0.1"


class Webhook:
    """The webhook of a test, which leads to a port on this machine."""

    def __init__(self, world: World, kubectl: Kubectl) -> None:
        self.world = world
        self.kubectl = kubectl
        self.port = free_port()

    @property
    def settings(self) -> dict[str, Any]:
        """The settings of an operator that answers it."""
        return {
            "admission": True,
            "admission_port": self.port,
            "admission_host": HOST,
            "bind_address": HOST,
            "kubeconfig": self.world.control_plane.kubeconfig("operator"),
        }

    async def install(self, **client_config: Any) -> None:
        """Create the shipped configuration, with a URL in place of the Service."""
        document = yaml.safe_load((DEPLOY / "admission" / "webhook.yaml").read_text())
        document["webhooks"][0]["clientConfig"] = {"url": f"https://{HOST}:{self.port}", **client_config}
        await self.world.kubectl.post(WEBHOOKS, document)

    async def client_config(self) -> Document:
        """Return how the API server reaches the webhook."""
        found = await self.world.kubectl.get(f"{WEBHOOKS}/{NAME}")
        return dict(found["webhooks"][0]["clientConfig"])

    async def authorities(self) -> list[str]:
        """Return the certificates that the API server trusts."""
        bundle = base64.b64decode((await self.client_config()).get("caBundle") or "").decode(errors="replace")
        return re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", bundle, re.DOTALL)

    def flags(self, port: int | None = None) -> tuple[str, ...]:
        """Return the flags of a process of the operator that answers it."""
        return (
            "--admission",
            "--admission-host",
            HOST,
            "--bind-address",
            HOST,
            "--admission-port",
            str(port or self.port),
        )

    async def leads_to(self, port: int) -> None:
        """Have the API server call another port, on the path that it has."""
        url = urlsplit((await self.client_config())["url"])._replace(netloc=f"{HOST}:{port}").geturl()
        await self.patched(url=url)

    async def patched(self, **client_config: Any) -> None:
        """Change how the API server reaches the webhook."""
        webhooks = [{"name": WEBHOOK, "clientConfig": client_config}]
        await self.world.kubectl.patch(f"{WEBHOOKS}/{NAME}", {"webhooks": webhooks}, content_type=STRATEGIC_MERGE)

    async def remove(self) -> None:
        """Delete the configuration."""
        with suppress(NotFound):
            await self.world.kubectl.delete(f"{WEBHOOKS}/{NAME}")

    async def answered(self, namespace: str) -> None:
        """Wait until the API server reaches an operator whose cache is in sync."""
        nothing = integration(namespace, "probe", "nowhere")

        async def warned() -> bool:
            return bool(await self.warnings(nothing, "--dry-run=server"))

        await self.world.eventually("the webhook answers", warned, every=0.2)

    async def warnings(self, document: Document, *flags: str) -> list[str]:
        """Apply a document as a user does, and return the warnings that kubectl prints."""
        output = await self.kubectl("apply", "-f", "-", *flags, stdin=document)
        *warnings, result = output.strip().splitlines()
        assert result.startswith(("integration.integreatly.org/", "secret/", "addressspace.enmasse.io/")), output
        assert all(line.startswith("Warning: ") for line in warnings), output
        return [line.removeprefix("Warning: ") for line in warnings]


def integration(namespace: str, name: str, space: str, **spec: Any) -> Document:
    """Return an Integration for an AddressSpace, ``NAME`` or ``NAMESPACE/NAME``, that a user applies."""
    of, _, space_name = space.rpartition("/")
    reference = {"namespace": of or namespace, "name": space_name}
    return {
        "apiVersion": "integreatly.org/v1alpha1",
        "kind": "Integration",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"client": "syndesis", "addressSpaceRef": reference, "enabled": True, **spec},
    }


@asynccontextmanager
async def webhook(world: World, home: Path) -> AsyncIterator[Webhook]:
    """Yield a webhook that is not installed yet; delete it at the end."""
    await asyncio.to_thread(grant_permissions, world.control_plane.kubeconfig(), "admission")
    made = Webhook(world, Kubectl(world.control_plane.kubeconfig("user"), home))
    try:
        yield made
    finally:
        await made.remove()


@pytest.fixture
async def hook(world: World, tmp_path: Path) -> AsyncIterator[Webhook]:
    """Return a webhook on the control plane, which is not installed yet."""
    async with webhook(world, tmp_path) as made:
        yield made
