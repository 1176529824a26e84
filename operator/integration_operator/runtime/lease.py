"""Leader election on a ``coordination.k8s.io/v1`` Lease: of several processes one leads, the others stand by.

The record and its rules are client-go's (tools/leaderelection), so ``kubectl get lease`` shows who leads. Two processes
never lead at once:

* The leader counts from the moment **before** it sent the last renewal that succeeded. ``DEADLINE`` of the duration
  later its fence closes (fence.py), whatever its tasks do.
* A process that stands by counts from the moment **after** it saw the record change for the last time, which is later,
  and takes the Lease when the whole duration has passed. Both count on clocks of their own, which need to agree in
  their speed alone; the times in the record are for people.
* Whoever takes the Lease writes it with the resourceVersion that it saw, or creates it. Of several one succeeds.
* The Lease is released when nothing of the process writes any more. If that is not certain, it runs out.

A renewal whose answer is lost does not count, although it may have succeeded. A Lease that was deleted is not created
by a process that saw its holder, before the duration has passed: the holder still leads until it notices.
"""

from __future__ import annotations

import asyncio
import math
import random
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import structlog

from integration_operator.runtime.errors import ApiError, Conflict, NotFound, watch_error
from integration_operator.runtime.fence import Fence, boot_time
from integration_operator.runtime.ref import Ref

Document = dict[str, Any]

DEADLINE = 2 / 3
"""Part of the duration after which a leader that could not renew stops writing. The last third is for requests that
were just sent, and for clocks of different speed."""

RENEWAL = 1 / 5
"""Part of the duration between two renewals: three may fail in a row before the deadline, each with its time-out."""

ATTEMPT = 1 / 2
"""Part of the time to the deadline that one request may take, so that there is always time for another one."""

RELEASE_SECONDS = 2.0
"""Maximum seconds to release the Lease; it runs out otherwise."""

WATCH_SECONDS = 290
"""Seconds of a watch, below the five minutes after which many proxies close a connection."""


class LeadershipLost(Exception):
    """The process led and does so no longer; the message says why."""


class API(Protocol):
    """What the election needs of a client. It has no limit that other requests may use up."""

    async def get(self, path: str) -> Document:
        """GET a path."""

    async def post(self, path: str, body: Document) -> Document:
        """POST a document."""

    async def put(self, path: str, body: Document) -> Document:
        """PUT a document."""

    def watch(self, path: str, query: dict[str, str]) -> AsyncIterator[Document]:
        """Yield the events of a watch."""


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease as the server returned it; ``duration`` is in seconds. Without a holder anybody may take it."""

    document: Document
    version: str
    holder: str
    duration: float
    transitions: int

    @classmethod
    def of(cls, document: Document, default_duration: float) -> Record:
        """Parse a Lease, in which a user may have written anything."""
        spec = document.get("spec") or {}
        duration, transitions = spec.get("leaseDurationSeconds"), spec.get("leaseTransitions")
        return cls(
            document,
            str(document["metadata"].get("resourceVersion", "")),
            str(spec.get("holderIdentity") or ""),
            float(duration) if isinstance(duration, int) and duration > 0 else default_duration,
            transitions if isinstance(transitions, int) else 0,
        )


def unique_identity() -> str:
    """Return an identity that no other process has, and that names the host or pod."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


def fence_for(
    duration: int, clock: Callable[[], float] = boot_time, alarm: Callable[[float], None] = lambda seconds: None
) -> Fence:
    """Return the fence for a Lease; ``duration`` is in seconds."""
    return Fence(duration * (1 - DEADLINE), clock, alarm)


class LeaderElector:
    """Elects this process or another one.

    ``duration`` is that of the Lease in seconds. ``fence`` (see ``fence_for``) is open exactly while this process
    leads, and its clock is the election's.
    """

    def __init__(
        self,
        client: API,
        lease: Ref,
        identity: str,
        *,
        duration: int,
        fence: Fence,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.identity = identity
        self.fence = fence
        self.lost = False
        """True if this process led and lost the Lease."""
        self._client = client
        self._lease = lease
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{lease.namespace}/leases"
        self._path = f"{self._collection}/{lease.name}"
        self._duration = duration
        self._clock = fence.clock
        self._now = now
        self._jitter = jitter
        self._sleep = sleep
        self._record: Record | None = None
        self._observed_at = -math.inf
        self._deadline = -math.inf
        self._leading = asyncio.Event()
        self._released = False
        self._failures = 0
        self._renewing = asyncio.Lock()
        self._log = structlog.get_logger(__name__).bind(**lease._asdict(), identity=identity)

    @property
    def is_leading(self) -> bool:
        """True if this process leads."""
        return self.fence.is_open

    @property
    def transitions(self) -> int:
        """How often the holder has changed, as far as this process knows from the Lease."""
        return self._record.transitions if self._record is not None else 0

    @property
    def holder(self) -> str:
        """The identity of the process that leads, as far as this process knows from the Lease, empty if none does."""
        return self._record.holder if self._record is not None else ""

    async def leading(self) -> None:
        """Return when this process leads."""
        await self._leading.wait()

    async def run(self) -> None:
        """Stand by until this process leads, then renew the Lease. Raises ``LeadershipLost`` when it is lost."""
        while not await self._acquire():
            await self._stand_by()
        self._log.info("leading")
        self._leading.set()
        reason = await self._hold()
        if self._released:
            return
        self.fence.close()
        self.lost = True
        self._log.error("leadership lost", reason=reason)
        raise LeadershipLost(f"Lease {self._lease}: {reason}")

    async def release(self) -> None:
        """Give the Lease up, so that another process takes it at once.

        Call this when nothing of this process writes any more, and no write is without an answer.
        """
        was_leading = self.fence.is_open
        self._released = True
        self.fence.close()
        if not was_leading:
            return
        async with self._renewing:
            with suppress(ApiError, TimeoutError):
                async with asyncio.timeout(RELEASE_SECONDS):
                    await self._give_up()

    async def _acquire(self) -> bool:
        """Take the Lease if it is free; return True if this process leads."""
        began = self._clock()
        try:
            async with asyncio.timeout(self._duration * DEADLINE * ATTEMPT):
                record = await self._read()
                if record is not None and not self._is_free(record):
                    self._failures = 0
                    return False
                if record is None and self._is_held_by_another():
                    return False
                began = self._clock()
                self._record = await self._write(record, self._spec_to_take(record))
        except Conflict:  # another process took it at the same moment
            await self._pause()
            return False
        except (ApiError, TimeoutError) as error:
            self._log_failure("lease not available", error)
            await self._pause()
            return False
        self._extend(began)
        return self.fence.is_open

    async def _stand_by(self) -> None:
        """Watch the Lease until it is free, or until the watch ends."""
        began, left = self._clock(), self._seconds_held()
        query = {
            "fieldSelector": f"metadata.name={self._lease.name}",
            "resourceVersion": self._record.version if self._record is not None else "",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        try:
            async with asyncio.timeout(left) as limit:
                async for event in self._client.watch(self._collection, query):
                    if event["type"] == "ERROR":
                        raise watch_error(event["object"])
                    self._observe(None if event["type"] == "DELETED" else self._parse(event["object"]))
                    if (left := self._seconds_held()) <= 0:
                        return
                    limit.reschedule(asyncio.get_running_loop().time() + left)
        except TimeoutError:
            return  # the record is as old as its duration
        except ApiError as error:
            self._log_failure("lease watch ended", error)
            await self._pause()
        else:
            if self._clock() - began < self._duration * RENEWAL:  # a proxy that ends each watch at once
                await self._pause()

    async def _hold(self) -> str:
        """Renew the Lease until it is released or lost; return why it was lost."""
        pause = self._duration * RENEWAL
        while True:
            await self._sleep(max(0.0, min(self._deadline - self._clock(), pause)))
            async with self._renewing:
                if self._released or self._clock() >= self._deadline:
                    break
                if (holder := await self._renew()) != self.identity:
                    return f"taken by {holder or 'nobody'}"
            pause = self._duration * RENEWAL * (0.8 + 0.2 * self._jitter())
        return f"not renewed for {self._duration * DEADLINE:.1f} s"

    async def _renew(self) -> str:
        """Renew the Lease, once; return who holds it as far as this process knows.

        The deadline moves only if the server confirms the renewal.
        """
        began = self._clock()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - began) * ATTEMPT):
                self._record = await self._write(self._record, self._spec_to_renew())
        except (Conflict, NotFound):
            return await self._read_holder()
        except (ApiError, TimeoutError) as error:
            self._log_failure("lease not renewed", error)
        else:
            self._extend(began)
        return self.identity

    async def _read_holder(self) -> str:
        """Read the Lease after a conflict, and renew it if it is still of this process.

        An earlier renewal whose answer was lost causes a conflict, and so does a user who edits the Lease or deletes
        it.
        """
        began = self._clock()
        try:
            async with asyncio.timeout(max(0.0, self._deadline - began) * ATTEMPT):
                record = await self._read()
                if record is not None and record.holder != self.identity:
                    return record.holder
                began = self._clock()
                self._record = await self._write(record, self._spec_to_renew())
        except (ApiError, TimeoutError) as error:
            self._log_failure("lease not renewed", error)
        else:
            self._extend(began)
        return self.identity

    async def _give_up(self) -> None:
        """Write that no process holds the Lease, unless another one does."""
        for _ in range(2):
            with suppress(Conflict):
                await self._write(self._record, self._spec_to_release())
                self._log.info("lease released")
                return
            self._record = await self._read()
            if self._record is None or self._record.holder != self.identity:
                return

    def _extend(self, began: float) -> None:
        """Lead until the deadline of a renewal that was begun then and succeeded."""
        self._failures = 0
        if not self._released:
            self._deadline = began + self._duration * DEADLINE
            self.fence.open(self._deadline)

    def _is_free(self, record: Record) -> bool:
        self._observe(record)
        return self._seconds_held() <= 0

    def _is_held_by_another(self) -> bool:
        """Observe that there is no Lease; return True if this process saw its holder a moment ago."""
        self._observe(None)
        return self._seconds_held() > 0

    def _observe(self, record: Record | None) -> None:
        """Note a record, and when it was seen first. None: it was deleted, and its holder may not know."""
        before = self._record
        if record is None:
            if before is not None and before.version:
                self._record = Record({}, "", before.holder, before.duration, before.transitions)
                self._observed_at = self._clock()
            return
        if before is None or before.version != record.version:
            self._record, self._observed_at = record, self._clock()
        if record.holder and (before is None or before.holder != record.holder):
            self._log.info("standing by", holder=record.holder)

    def _seconds_held(self) -> float:
        """Return the seconds until the observed record may be taken, 0 if it is free."""
        if self._record is None or self._record.holder in ("", self.identity):  # the answer to its own write was lost
            return 0.0
        return max(0.0, self._observed_at + self._record.duration - self._clock())

    async def _read(self) -> Record | None:
        try:
            return self._parse(await self._client.get(self._path))
        except NotFound:
            return None

    async def _write(self, record: Record | None, spec: Document) -> Record:
        """Write a Lease over the record that was read, or create it. Raises ``Conflict`` if it changed meanwhile."""
        if record is None or not record.version:
            metadata = self._lease._asdict()
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
            return self._parse(await self._client.post(self._collection, body))
        return self._parse(await self._client.put(self._path, {**record.document, "spec": spec}))

    def _parse(self, document: Document) -> Record:
        return Record.of(document, self._duration)

    def _spec_to_take(self, record: Record | None) -> Document:
        before = record or self._record
        now = self._timestamp()
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self._duration,
            "acquireTime": now,
            "renewTime": now,
            "leaseTransitions": before.transitions + 1 if before is not None else 0,
        }

    def _spec_to_renew(self) -> Document:
        assert self._record is not None
        spec = self._record.document.get("spec") or {}
        return {
            **spec,
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self._duration,
            "renewTime": self._timestamp(),
        }

    def _spec_to_release(self) -> Document:
        assert self._record is not None
        spec = self._record.document.get("spec") or {}
        return {**spec, "holderIdentity": "", "renewTime": self._timestamp()}

    def _timestamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def _log_failure(self, event: str, error: Exception) -> None:
        """Log the first failures in a row, and then every twentieth."""
        self._failures += 1
        if self._failures in (1, 5) or self._failures % 20 == 0:
            self._log.warning(event, error=str(error) or "no answer in time")

    async def _pause(self) -> None:
        """Wait before the next attempt, with jitter, so that several processes do not try in step."""
        await self._sleep(self._duration * RENEWAL * (0.5 + 0.5 * self._jitter()))
