"""Install CustomResourceDefinitions, and return only when the cluster serves their kinds.

A CustomResourceDefinition is *Established* a moment before each of its versions answers. Until then a LIST of its
objects is answered with 404, as if the kind were absent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import NotFound
from integration_operator_sandbox.errors import SandboxError

Document = dict[str, Any]

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
FIELD_MANAGER = "integration-operator-local"
POLL = 0.05


def platform_crds() -> list[Document]:
    """Return reduced CustomResourceDefinitions of EnMasse's and Syndesis's kinds."""
    directory = resources.files(__package__) / "crds"
    files = sorted(directory.iterdir(), key=lambda file: file.name)
    return [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files if file.name.endswith(".yaml")]


def install_crds(kubeconfig: Path, definitions: Iterable[Document], *, timeout: float = 30.0) -> None:
    """Install CustomResourceDefinitions and wait until all their versions are served.

    A running event loop is blocked meanwhile.
    """
    run_blocking(_install(kubeconfig, list(definitions), timeout))


def install_platform_crds(kubeconfig: Path, *, timeout: float = 30.0) -> None:
    """Install ``platform_crds`` and wait until their kinds are served."""
    install_crds(kubeconfig, platform_crds(), timeout=timeout)


def run_blocking(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine to its end, in a thread of its own, because an event loop may run in this one."""
    with ThreadPoolExecutor(max_workers=1) as elsewhere:
        elsewhere.submit(asyncio.run, work).result()


async def _install(kubeconfig: Path, definitions: list[Document], within: float) -> None:
    async with Client.from_kubeconfig(kubeconfig) as client:
        names = [definition["metadata"]["name"] for definition in definitions]
        try:
            async with asyncio.timeout(within):
                for name, definition in zip(names, definitions, strict=True):
                    await client.apply(f"{DEFINITIONS}/{name}", definition, manager=FIELD_MANAGER, force=True)
                await asyncio.gather(*(_served(client, name) for name in names))
        except TimeoutError:
            raise SandboxError(f"the cluster does not serve {', '.join(names)} after {within:g} s") from None


async def _served(client: Client, name: str) -> None:
    """Wait until the kind is established, and discovery and LIST know each of its versions."""
    while True:
        definition = await client.get(f"{DEFINITIONS}/{name}")
        conditions = {c["type"]: c["status"] for c in (definition.get("status") or {}).get("conditions") or ()}
        if conditions.get("Established") == "True" and await _answers(client, definition["spec"]):
            return
        await asyncio.sleep(POLL)


async def _answers(client: Client, spec: Document) -> bool:
    plural = spec["names"]["plural"]
    try:
        for version in (v["name"] for v in spec["versions"] if v["served"]):
            group = f"/apis/{spec['group']}/{version}"
            announced = await client.get(group)
            if not any(resource["name"] == plural for resource in announced.get("resources", ())):
                return False
            await client.get(f"{group}/{plural}", {"limit": "1"})
    except NotFound:
        return False
    return True
