"""A reflector keeps the store of one kind in sync: LIST, replace the store, WATCH, and LIST again after 410 Gone.

A kind without WATCH is polled if its ``Resource`` allows it.

Each kind fails alone. A kind that is not served is *absent*, which is not an outage. Any other failure keeps the store
and is retried for ever with back-off and jitter. Only in the state ``SYNCED`` does an object that is not in the store
not exist.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from typing import Any, Generic, Literal, TypeVar

import structlog

from integration_operator.runtime.client import METADATA, METADATA_LIST, Client
from integration_operator.runtime.errors import (
    ApiError,
    Forbidden,
    Gone,
    NotFound,
    TooLarge,
    Unauthorized,
    Unavailable,
    watch_error,
)
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.resources import APIResource, Resource, discover
from integration_operator.runtime.store import Report, Store
from integration_operator.runtime.watchers import Watchers

T = TypeVar("T")
Document = dict[str, Any]

PAGE = 500  # client-go's default page of a reflector; the client bounds its bytes
UNPAGED_BYTES = 64 * 1024 * 1024
"""Maximum bytes of a LIST of EnMasse's aggregated API, which has no pages: 20,000 AddressSpaces."""
WATCH_SECONDS = 290  # below the five minutes after which many proxies close a connection
WATCH_SILENCE = (
    150.0  # kube-apiserver sends a bookmark about every minute: after twice that without a byte the connection is dead
)
FIRST_BACKOFF, MAX_BACKOFF = 0.5, 30.0
ABSENT_POLL = 600.0  # a new CRD or APIService wakes the reflector at once, unless those cannot be watched
ABSENT_POLL_BLIND = 30.0
CRD_DELAY = 0.5  # seconds from the creation of a CRD until the server serves it


class State(Enum):
    """The state of a reflector."""

    STARTING = "not listed yet"
    SYNCED = "in sync"
    UNWATCHED = "served without watch"
    ABSENT = "not served"
    FAILING = "failing"


WatchEnd = Literal["ended", "expired", "failed"]
"""Why a watch ended: the server ended it after its time, the resourceVersion is too old (410), anything else."""


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Called when the state of a reflector changes, after each LIST, and when a watch has ended."""

    on_state: Callable[[Resource, State], None] = lambda resource, state: None
    on_listed: Callable[[Resource], None] = lambda resource: None
    on_watch_end: Callable[[str, WatchEnd], None] = lambda kind, cause: None


NO_CALLBACKS = Callbacks()


class Reflector(Generic[T]):
    """Keeps a store in sync with the server until it is cancelled.

    ``poll`` is the period in seconds of a kind without WATCH. ``namespaces`` returns the namespaces to list if the
    server has no LIST over all of them. ``within`` restricts the reflector to these namespaces, each with a LIST and a
    WATCH of its own; none means the whole cluster. ``translate`` replaces a document, or drops it by returning None.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        store: Store[T],
        *,
        callbacks: Callbacks = NO_CALLBACKS,
        poll: float = 30.0,
        namespaces: Callable[[], Awaitable[list[str]]] | None = None,
        within: Sequence[str] = (),
        translate: Callable[[Document], Document | None] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.resource = resource
        self.store = store
        self.state = State.STARTING
        self.served: APIResource | None = None
        self.read_from: APIResource | None = None
        """The resource that the store was read from; not ``served`` while the kind moves to another version."""
        self.problem = ""
        self._answered_at: float | None = None
        self.blind = False
        """True if CRDs and APIServices cannot be watched: an absent kind is then polled more often."""
        self._client = client
        self._callbacks = callbacks
        self._poll = poll
        self._namespaces = namespaces
        self._within: Sequence[str | None] = within or (None,)
        several = len(self._within) > 1
        self._watchers = Watchers([partial(self._watch, one) for one in self._within]) if several else None
        self._translate = translate
        self._jitter = jitter
        self._listed = asyncio.Event()
        self._cycle: asyncio.Timeout | None = None
        """Ends LIST and WATCH, so that ``run`` begins again."""
        self._read = asyncio.Event()
        """Set when this cycle has listed the kind, or could not."""
        self._read_next = self._read
        self._repeated = False
        """True if the next LIST of this cycle is the repetition that ``refresh`` asks for."""
        self._confirmed = False
        self._versions: dict[str, str] = {}
        """The resourceVersion of each collection from which its next watch starts."""
        self._outdated = False
        """True if the result of the last discovery may be outdated."""
        self._failures = 0
        self._wake = asyncio.Event()
        self._log = structlog.get_logger(__name__).bind(kind=resource.kind)

    def wake(self) -> None:
        """Run discovery again: a CRD or APIService that may serve this kind has changed."""
        self._wake.set()

    async def listed(self) -> None:
        """Wait for the first complete LIST."""
        await self._listed.wait()

    @property
    def seconds_since_answer(self) -> float | None:
        """Seconds since the server answered last: a LIST, an event, a bookmark, or that a watch begins; None: never."""
        if self._answered_at is None:
            return None
        return asyncio.get_running_loop().time() - self._answered_at

    @property
    def confirmed(self) -> bool:
        """False if the last LIST stands alone: it repeated none, or it shows less than was known, or something older.

        It is True for a kind of which no LIST was answered: of that nothing is concluded anyway.
        """
        return self._confirmed or self.state is not State.SYNCED

    async def refresh(self) -> None:
        """End the watch and LIST again; return when the store is as new as this call, or the kind is failing.

        A watch may lag behind by any time, and nothing that it delivers shows by how much. A LIST without
        resourceVersion is answered from etcd's latest state.
        """
        if self._cycle is None:
            return  # it does not run
        self._read_next.set()  # who waits for it goes on to wait for the LIST of this call
        self._read_next = asyncio.Event()  # a LIST that is under way was sent too early to count
        self._outdated = True
        if not self._cycle.expired():
            self._cycle.reschedule(asyncio.get_running_loop().time())
        while not (read := self._read_next).is_set():
            await read.wait()

    async def read(self, ref: Ref) -> None:
        """Read one object ahead of the watch, if it exists and is one of those that are selected.

        A LIST of a name needs no other permission than those of the reflector.
        """
        if self.served is None:
            return
        query = {**self._selector(), "fieldSelector": f"metadata.name={ref.name}"}
        collection = self.served.collection(ref.namespace)
        for document in items_of(await self._client.get(collection, query), collection):
            if (complete := self._complete(document)) is not None:
                self.store.apply_event("MODIFIED", complete)

    async def run(self) -> None:
        """LIST and WATCH until cancelled."""
        if self._watchers is None:
            await self._run_cycles()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watchers.run())
            await self._run_cycles()

    async def _run_cycles(self) -> None:
        while True:
            self._repeated = self._read is not self._read_next
            self._read = self._read_next
            with suppress(TimeoutError):  # of refresh
                async with asyncio.timeout(None) as self._cycle:
                    await self._list_and_watch()

    async def _list_and_watch(self) -> None:
        """LIST and WATCH until cancelled; retry whatever fails."""
        while True:
            try:
                await self._discover()
                if not (self._served_now.watchable or self.resource.polled):
                    self._enter(State.UNWATCHED)
                    self._read.set()
                    await self._pause(ABSENT_POLL_BLIND if self.blind else ABSENT_POLL)
                    self._wake.clear()
                    self._outdated = True
                    continue
                await self._list()
                if self._served_now.watchable:
                    await self._watch_all()
                await self._pause(self._poll * (0.8 + 0.4 * self._jitter()))
                self._rediscover_if_woken()
            except Gone:
                self._log.debug("relisting")
            except NotFound as error:
                await self._absent_or_failing(error)
            except ApiError as error:
                await self._failing(error)
            except Exception as error:  # an unexpected document must not end the process
                self._log.exception("reflector panicked")
                await self._failing(error)

    async def _discover(self) -> None:
        if self.served is None or self._outdated:
            self.served = await discover(self._client, self.resource)
            self._outdated = False
            if self.served is None:
                raise NotFound(404, "NotFound", f"{self.resource} is not served")

    @property
    def _served_now(self) -> APIResource:
        assert self.served is not None
        return self.served

    @property
    def _collections(self) -> list[str]:
        """The paths to list and watch."""
        return [self._served_now.collection(namespace) for namespace in self._within]

    async def _list(self) -> None:
        """LIST and replace the store."""
        before = _oldest(self._versions.values())
        while True:
            epoch = self.store.epoch()
            reports: list[Report[T]] = []
            versions = {}
            for collection in self._collections:
                items, versions[collection] = await self._pages(collection)
                reports += items
            self._versions = versions
            if not await self._moved():
                break
        self.read_from = self.served
        version = _oldest(self._versions.values())
        removed = self.store.replace(reports, epoch, version)
        self._failures = 0
        self._answered_at = asyncio.get_running_loop().time()
        outdated = before is not None and version is not None and version < before
        self._confirmed, self._repeated = self._repeated and not removed and not outdated, False
        self._listed.set()
        self._enter(State.SYNCED)
        self._read.set()
        self._callbacks.on_listed(self.resource)

    async def _moved(self) -> bool:
        """Return True if the kind moved during the LIST, so that its answer is not reliable.

        An aggregated API returns no resourceVersion: an answer with one came from another server. A change of a CRD or
        APIService during the LIST is the other sign.
        """
        before = self._served_now
        if before.watchable or not (any(self._versions.values()) or self._wake.is_set()):
            return False
        self._wake.clear()
        self._outdated = True
        await self._discover()
        return self._served_now != before

    async def _pages(self, collection: str) -> tuple[list[Report[T]], str]:
        """Return all items of a collection and its resourceVersion.

        Each page is converted at once, so that only one is in memory in full. A page that is too large is requested
        again in smaller pages: tenants decide the size of their objects, up to 1.5 MiB each.
        """
        reports: list[Report[T]] = []
        limit = PAGE
        query = self._selector()
        accept = METADATA_LIST if self.resource.metadata_only else "application/json"
        max_bytes = None if self._served_now.watchable else UNPAGED_BYTES
        while True:
            try:
                page = await self._client.get(
                    collection, {"limit": str(limit), **query}, accept=accept, max_bytes=max_bytes
                )
            except TooLarge:
                if limit == 1 or not self._served_now.watchable:
                    raise
                limit = max(1, limit // 4)
                continue
            except NotFound:
                is_namespaced = collection != self._served_now.collection()
                if self._served_now.watchable or is_namespaced or self._namespaces is None:
                    raise
                return await self._by_namespace(await self._namespaces())
            complete = (self._complete(item) for item in items_of(page, collection))
            reports += [self.store.read(document) for document in complete if document is not None]
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return reports, str(metadata.get("resourceVersion") or "")
            query = {**query, "continue": metadata["continue"]}

    async def _by_namespace(self, namespaces: list[str]) -> tuple[list[Report[T]], str]:
        """Return the items of each namespace, if the server has no LIST over all namespaces (EnMasse ≤ 0.24).

        Raises ``NotFound`` if it has no LIST of a namespace either: then the kind is absent.
        """
        reports: list[Report[T]] = []
        version = ""
        for namespace in namespaces:
            items, version = await self._pages(self._served_now.collection(namespace))
            reports += items
            if version:  # another server than the aggregated API answered
                break
        return reports, version

    def _rediscover_if_woken(self) -> None:
        """Run discovery again if a CRD or APIService that may serve this kind has changed."""
        if self._wake.is_set():
            self._wake.clear()
            self._outdated = True

    async def _watch_all(self) -> None:
        """Apply the events of all watches until the first error."""
        if self._watchers is None:
            await self._watch(self._within[0])
        else:
            await self._watchers.until_first_error()

    async def _watch(self, namespace: str | None) -> None:
        """Apply watch events until the first error. That the server ends the watch is normal.

        Any error leads to a LIST: after an outage the server may have been restored to an older state, and a watch from
        a resourceVersion in its future would be silent.
        """
        accept = METADATA if self.resource.metadata_only else "application/json"
        collection = self._served_now.collection(namespace)
        while True:
            query = {
                "resourceVersion": self._versions[collection],
                "allowWatchBookmarks": "true",
                "timeoutSeconds": str(WATCH_SECONDS - int(30 * self._jitter())),
                **self._selector(),
            }
            events = self._client.watch(collection, query, accept=accept, silence=WATCH_SILENCE, opened=self._opened)
            try:
                async for event in events:
                    self._apply(collection, event)
            except Exception as error:
                self._callbacks.on_watch_end(self.resource.kind, "expired" if isinstance(error, Gone) else "failed")
                raise
            self._callbacks.on_watch_end(self.resource.kind, "ended")

    def _apply(self, collection: str, event: Document) -> None:
        kind, document = event["type"], event["object"]
        if kind == "ERROR":
            raise watch_error(document)
        self._versions[collection] = document["metadata"]["resourceVersion"]
        self._answered_at = asyncio.get_running_loop().time()
        if kind != "BOOKMARK" and (complete := self._complete(document)) is not None:
            self.store.apply_event(kind, complete)

    def _opened(self) -> None:
        self._failures = 0
        self._answered_at = asyncio.get_running_loop().time()
        self._enter(State.SYNCED)

    async def _absent_or_failing(self, error: NotFound) -> None:
        """Run discovery to tell an absent kind from one that moved to another version."""
        was_served, self.served = self.served, None
        if was_served is not None:
            with suppress(ApiError):
                self.served = await discover(self._client, self.resource)
            if self.served is not None:
                await self._failing(error)
                return
        epoch = self.store.epoch()
        self.read_from = None
        self.store.replace((), epoch)
        self._enter(State.ABSENT, str(error))
        self._read.set()
        self._failures = 0
        poll = ABSENT_POLL_BLIND if self.blind else ABSENT_POLL
        await self._pause(poll * (0.9 + 0.2 * self._jitter()))
        if self._wake.is_set():
            self._wake.clear()
            await asyncio.sleep(CRD_DELAY)

    async def _failing(self, error: Exception) -> None:
        self._failures += 1
        delay = min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures - 1, 10)) * (0.5 + self._jitter() / 2)
        if isinstance(error, ApiError) and error.retry_after:
            delay = max(delay, error.retry_after)
        self._enter(State.FAILING, str(error))
        self._read.set()
        if self._failures in (1, 5) or self._failures % 20 == 0:
            self._log.warning("reflector failed", error=_advice(self.resource, error), retry_in=round(delay, 1))
        await self._pause(delay)
        self._wake.clear()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _enter(self, state: State, problem: str = "") -> None:
        self.problem = problem
        if state is not self.state:
            self.state = state
            version = self.served.api_version if self.served else None
            self._log.info("kind state changed", state=state.value, served=version)
            self._callbacks.on_state(self.resource, state)

    def _selector(self) -> dict[str, str]:
        labels, name = self.resource.selector, self.resource.name
        selector = {"labelSelector": labels} if labels else {}
        return {**selector, "fieldSelector": f"metadata.name={name}"} if name else selector

    def _complete(self, document: Document) -> Document | None:
        """Set apiVersion and kind, which items of a LIST of a built-in kind do not have."""
        if self._translate is not None:
            return self._translate(document)
        if self.served is not None and not self.resource.metadata_only:
            document["apiVersion"] = self.served.api_version
            document["kind"] = self.resource.kind
        return document


async def refresh(reflectors: Iterable[Reflector[Any]]) -> None:
    """List several kinds again; return when each store is as new as this call, or its kind is failing."""
    await asyncio.gather(*(reflector.refresh() for reflector in reflectors))


def _oldest(versions: Collection[str]) -> int | None:
    """Return the least resourceVersion; None if there is none, or one is no number, as an aggregated API's may be."""
    return min(map(int, versions), default=None) if all(map(str.isdigit, versions)) else None


def items_of(page: Document, collection: str) -> list[Document]:
    """Return the items of a LIST; ``null`` is the empty list of a Go server. Raises ``Unavailable``.

    An answer without the key is not a LIST.
    """
    items = page.get("items", page)
    if items is None:
        return []
    if not isinstance(items, list):
        raise Unavailable(200, "NotAList", f"the answer for {collection} is not a list")
    return items


def _advice(resource: Resource, error: Exception) -> str:
    """Return the error with its cause, for an administrator."""
    if isinstance(error, Forbidden):
        return f"no permission to list and watch {resource.plural}: {error.message}"
    if isinstance(error, Unauthorized):
        return f"the API server does not accept the token: {error.message}"
    return str(error)
