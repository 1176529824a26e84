"""What the commands that only look at a cluster have in common: its stores, filled once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from integration_operator.cli.failure import NO_CLUSTER, fail

if TYPE_CHECKING:
    from integration_operator.cluster import Cluster

PATIENCE = 10.0
"""Seconds to wait for a cluster's answers."""


@asynccontextmanager
async def reading(kubeconfig: Path | None) -> AsyncIterator[Cluster]:
    """The cluster, kept in step while the block runs; ends the command where there is none."""
    from integration_operator.cluster import Cluster
    from integration_operator.kube.client import Client, NoCluster
    from integration_operator.observability import logging

    logging.configure("error", "auto")
    path = kubeconfig or (Path(os.environ["KUBECONFIG"]) if os.environ.get("KUBECONFIG") else None)
    try:
        async with Client.from_kubeconfig(path) if path else Client.in_cluster() as client:
            cluster = Cluster(client)
            task = asyncio.create_task(cluster.run())
            try:
                try:
                    async with asyncio.timeout(PATIENCE):
                        await cluster.synced()
                except TimeoutError:
                    fail("; ".join(f"{kind}: {why}" for kind, why in cluster.unsettled().items()), NO_CLUSTER)
                yield cluster
            finally:
                task.cancel()
    except NoCluster as error:
        fail(error, NO_CLUSTER)
