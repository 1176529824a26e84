"""Recorder of Kubernetes Events: in the background, best effort, rate limited for each object."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog

from integration_operator.runtime.client import Client
from integration_operator.runtime.conditions import Event
from integration_operator.runtime.errors import Failure
from integration_operator.runtime.ref import ObjectReference, Ref
from integration_operator.runtime.text import sanitized
from integration_operator.runtime.token_bucket import TokenBuckets

BURST, RATE = 25, 1 / 300
"""Events of one object: a burst of 25, then one in five minutes (client-go's ``EventSourceObjectSpamFilter``)."""

MAX_NAME_PREFIX = 200
"""Characters of the object's name in the Event's ``generateName``; the server adds a suffix within 253."""

log = structlog.get_logger(__name__)


class EventRecorder:
    """Posts Events for one component."""

    def __init__(
        self, client: Client, component: str, *, clock: Callable[[], float], timestamp: Callable[[], str]
    ) -> None:
        self._client = client
        self._component = component
        self._timestamp = timestamp
        self._buckets: TokenBuckets[tuple[str, Ref]] = TokenBuckets(BURST, RATE, clock)
        """By kind and name: an object that is deleted and created again keeps its limit."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._recorded: set[tuple[str, str]] = set()

    def record(self, about: ObjectReference, event: Event) -> None:
        """Post an Event, unless the rate limit of its object is exceeded."""
        if self._buckets.take((about.kind, about.ref)) > 0:
            return
        task = asyncio.get_running_loop().create_task(self._post(self._document(about, event)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def record_once(self, about: ObjectReference, event: Event) -> None:
        """Post an Event once for each object and reason, for the life of the process."""
        if (about.uid, event.reason) not in self._recorded:
            self._recorded.add((about.uid, event.reason))
            self.record(about, event)

    async def drain(self) -> bool:
        """Wait up to five seconds for Events in flight; return True if all are posted."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=5)
        return all(task.done() for task in self._tasks)

    async def _post(self, event: dict[str, Any]) -> None:
        try:
            await self._client.post(f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)
        except Failure as error:
            log.debug("event not posted", reason=error.reason)

    def _document(self, about: ObjectReference, event: Event) -> dict[str, Any]:
        now = self._timestamp()
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{about.ref.name[:MAX_NAME_PREFIX]}.", "namespace": about.ref.namespace},
            "involvedObject": {
                "apiVersion": about.api_version,
                "kind": about.kind,
                "namespace": about.ref.namespace,
                "name": about.ref.name,
                "uid": about.uid,
            },
            "type": event.type,
            "reason": event.reason,
            "message": sanitized(event.message),
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
