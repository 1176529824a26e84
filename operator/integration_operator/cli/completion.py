"""Completion of names in a shell: the Integrations that the user may mean."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

SECONDS = 2.0
"""Time to ask the cluster: whoever presses a key waits no longer."""


def names_that_begin(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of the Integrations in the namespace of the flags, or of the context."""
    kubeconfig, context = ctx.params.get("kubeconfig"), ctx.params.get("context")
    try:
        found = asyncio.run(_names(kubeconfig, context, ctx.params.get("namespace")))
    except (Exception, typer.Exit):  # a shell shows no message while a user types
        return []
    return [name for name in found if name.startswith(incomplete)]


async def _names(kubeconfig: Path | None, context: str | None, namespace: str | None) -> list[str]:
    from integration_operator.resources import INTEGRATION
    from integration_operator.runtime.client import METADATA_LIST, Client
    from integration_operator.runtime.resources import APIResource

    served = APIResource(INTEGRATION, str(INTEGRATION.version))
    async with Client.find(kubeconfig, context, timeout=SECONDS) as client:
        collection = served.collection(namespace or client.namespace)
        listed = await client.get(collection, {"limit": "200", "resourceVersion": "0"}, accept=METADATA_LIST)
    return [str(item["metadata"]["name"]) for item in listed.get("items") or ()]
