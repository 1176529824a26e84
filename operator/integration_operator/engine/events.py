"""Kubernetes Events on Integrations, as few as tell the story, never more than a limit.

Posted in the background, best effort: an Event that cannot be posted is not worth holding a reconcile for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from integration_operator.api import names
from integration_operator.domain.conditions import Announcement
from integration_operator.domain.integration import Integration
from integration_operator.domain.pair import Ref
from integration_operator.kube.client import Client
from integration_operator.kube.errors import ApiError

BURST, REFILL = 25, 1 / 300  # client-go's spam filter: 25 Events of one object, then one in five minutes
LONGEST_MESSAGE = 1024  # core/v1 Event validation

log = structlog.get_logger(__name__)


class EventRecorder:
    """Posts Events about Integrations."""

    def __init__(self, client: Client, *, clock: Callable[[], float], now: Callable[[], str]) -> None:
        self._client = client
        self._clock = clock
        self._now = now
        self._tokens: dict[Ref, tuple[float, float]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def post(self, integration: Integration, announcement: Announcement) -> None:
        """Post one Event, unless its Integration has had too many."""
        if not self._allowed(integration.ref):
            return
        task = asyncio.get_running_loop().create_task(self._post(self._event(integration, announcement)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait for Events that are on their way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    def forget(self, ref: Ref) -> None:
        """The Integration is gone."""
        self._tokens.pop(ref, None)

    def _allowed(self, ref: Ref) -> bool:
        now = self._clock()
        tokens, at = self._tokens.get(ref, (float(BURST), now))
        tokens = min(float(BURST), tokens + (now - at) * REFILL)
        self._tokens[ref] = (tokens - 1 if tokens >= 1 else tokens, now)
        return tokens >= 1

    async def _post(self, event: dict[str, Any]) -> None:
        try:
            await self._client.post(f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)
        except ApiError as error:
            log.debug("event not posted", reason=error.reason)

    def _event(self, integration: Integration, announcement: Announcement) -> dict[str, Any]:
        now = self._now()
        document = integration.live.document
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "generateName": f"{integration.ref.name[:200]}.",
                "namespace": integration.ref.namespace,
            },
            "involvedObject": {
                "apiVersion": document["apiVersion"],
                "kind": "Integration",
                "namespace": integration.ref.namespace,
                "name": integration.ref.name,
                "uid": integration.live.uid,
            },
            "type": announcement.type,
            "reason": announcement.reason,
            "message": announcement.message[:LONGEST_MESSAGE],
            "source": {"component": names.FIELD_MANAGER},
            "reportingComponent": names.FIELD_MANAGER,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
