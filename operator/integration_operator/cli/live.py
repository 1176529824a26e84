"""The cluster as the operator reads it, with all kinds: for commands that plan what the operator would do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from integration_operator.cli.failure import NO_CLUSTER, fail
from integration_operator.cli.progress import progress
from integration_operator.cli.reading import READING
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.settings import Settings

if TYPE_CHECKING:
    from integration_operator.controllers.integration.dry_run import DryRun
    from integration_operator.runtime.client import Client

SYNC_SECONDS = 30.0
"""Seconds to read the cluster."""
POLL = 0.05
"""Seconds between two looks at what is read; the looks send no request."""


async def live_dry_run(client: Client, settings: Settings, plan: PlanSettings) -> DryRun:
    """Return a dry run on what the cluster holds now; end the command if a kind cannot be read.

    A kind that may not be read ends the command at once: waiting does not change that.
    """
    from integration_operator.cache import Cache
    from integration_operator.controllers.integration.dry_run import DryRun

    cache = Cache(
        client,
        read_spaces=settings.address_spaces,
        enmasse_namespace=settings.enmasse_namespace,
        namespaces=settings.namespaces,
    )
    reading, synced = asyncio.create_task(cache.run()), asyncio.create_task(cache.synced())
    deadline = asyncio.get_running_loop().time() + SYNC_SECONDS
    try:
        with progress(READING):
            while not (await asyncio.wait({synced}, timeout=POLL))[0]:
                late = asyncio.get_running_loop().time() > deadline
                problems = cache.unsynced()
                if problems and (late or problems == cache.failing()):  # each kind has an answer
                    fail(f"cannot read the cluster: {_told(problems)}", NO_CLUSTER)
    finally:
        for task in (reading, synced):
            task.cancel()
        await asyncio.wait({reading, synced})
    return DryRun(cache, plan)


def _told(problems: dict[str, str]) -> str:
    """Return what is wrong with each kind; those that the user may not list are named together."""
    forbidden = [kind for kind, problem in problems.items() if problem.startswith("Forbidden")]
    told = [f"{kind}: {problem}" for kind, problem in problems.items() if kind not in forbidden]
    if forbidden:
        told.append(f"you may not list {', '.join(forbidden)} in all namespaces, as the operator may")
    return "; ".join(told)
