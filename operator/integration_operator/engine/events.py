"""Kubernetes Events on Integrations, as few as tell the story, never more than a limit.

Posted in the background, best effort: an Event that cannot be posted is not worth holding a reconcile for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple

import structlog

from integration_operator.api import names
from integration_operator.domain.conditions import Announcement
from integration_operator.domain.integration import Integration
from integration_operator.domain.pair import Ref
from integration_operator.domain.platforms import Syndesis
from integration_operator.domain.text import sanitized
from integration_operator.engine.pace import Pace
from integration_operator.kube.client import Client
from integration_operator.kube.errors import ApiError

BURST, REFILL = 25, 1 / 300  # client-go's spam filter: 25 Events of one object, then one in five minutes

log = structlog.get_logger(__name__)


class _Object(NamedTuple):
    """What an Event is about."""

    api_version: str
    kind: str
    ref: Ref
    uid: str


class EventRecorder:
    """Posts Events about Integrations, and about the Syndesis that gets no Integration."""

    def __init__(self, client: Client, *, clock: Callable[[], float], now: Callable[[], str]) -> None:
        self._client = client
        self._now = now
        self._pace: Pace[Ref] = Pace(BURST, REFILL, clock)
        """By name: one that is deleted and created again is the same in this."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._once: set[tuple[str, str]] = set()

    def post(self, integration: Integration, announcement: Announcement) -> None:
        """Post one Event, unless its Integration has had too many."""
        if self._pace.wait(integration.ref):
            return
        document = integration.live.document
        self._send(_Object(document["apiVersion"], "Integration", integration.ref, integration.live.uid), announcement)

    def post_once(self, syndesis: Syndesis, announcement: Announcement) -> None:
        """Post one Event on a Syndesis, once for each of its reasons in the life of this process."""
        if (syndesis.uid, announcement.reason) in self._once:
            return
        self._once.add((syndesis.uid, announcement.reason))
        self._send(_Object(syndesis.api_version, "Syndesis", syndesis.ref, syndesis.uid), announcement)

    def _send(self, about: _Object, announcement: Announcement) -> None:
        task = asyncio.get_running_loop().create_task(self._post(self._event(about, announcement)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def drain(self) -> None:
        """Wait for Events that are on their way."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)

    async def _post(self, event: dict[str, Any]) -> None:
        try:
            await self._client.post(f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)
        except ApiError as error:
            log.debug("event not posted", reason=error.reason)

    def _event(self, about: _Object, announcement: Announcement) -> dict[str, Any]:
        now = self._now()
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{about.ref.name[:200]}.", "namespace": about.ref.namespace},
            "involvedObject": {
                "apiVersion": about.api_version,
                "kind": about.kind,
                "namespace": about.ref.namespace,
                "name": about.ref.name,
                "uid": about.uid,
            },
            "type": announcement.type,
            "reason": announcement.reason,
            "message": sanitized(announcement.message),
            "source": {"component": names.FIELD_MANAGER},
            "reportingComponent": names.FIELD_MANAGER,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
