"""One reflector per kind: LIST, replace the store, WATCH from there, LIST again where the server has forgotten.

A kind that is served without watch is polled, or, where nobody may list it, left alone.

Each kind fails alone. A kind that is not served is *absent*, which is not an outage; any other failure keeps the
store, backs off with jitter and is tried again for ever. What a person or the engine may conclude from the store is
in ``state``: only ``SYNCED`` means that what the store does not hold does not exist.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum
from typing import Any, Generic, TypeVar

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
from integration_operator.runtime.resources import APIResource, Resource, discover
from integration_operator.runtime.store import Report, Store

T = TypeVar("T")
Document = dict[str, Any]
Sleep = Callable[[float], Awaitable[None]]

PAGE = 500  # client-go's default page of a reflector; its bytes are bounded by the client
UNPAGED_BYTES = 64 * 1024 * 1024
"""Of a LIST of EnMasse's aggregated API, which knows no pages: 20,000 AddressSpaces."""
WATCH_SECONDS = 290  # under the five minutes after which proxies on the way like to cut
WATCH_SILENCE = 150.0  # kube-apiserver sends a bookmark about every minute: twice that without a byte is a dead line
FIRST_BACKOFF, MAX_BACKOFF = 0.5, 30.0
ABSENT_POLL = 600.0  # a new CRD or APIService wakes us at once; this is for clusters that do not let us watch those
ABSENT_POLL_BLIND = 30.0
JUST_CREATED = 0.5  # a CRD is served a moment after it is there


class State(Enum):
    """What is known of a kind."""

    STARTING = "not listed yet"
    SYNCED = "in sync"
    UNWATCHED = "served without watch"
    ABSENT = "not served"
    FAILING = "failing"


class Reflector(Generic[T]):
    """Keeps one store in step with the server until it is cancelled."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        store: Store[T],
        *,
        on_state: Callable[[Resource, State], None] = lambda resource, state: None,
        on_listed: Callable[[Resource], None] = lambda resource: None,
        poll: float = 30.0,
        namespaces: Callable[[], Awaitable[list[str]]] | None = None,
        namespace: str | None = None,
        translate: Callable[[Document], Document | None] | None = None,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.resource = resource
        self.store = store
        self.state = State.STARTING
        self.served: APIResource | None = None
        self.read_from: APIResource | None = None
        """Where what the store holds was read: while the kind moves, not yet where it is served now."""
        self.problem = ""
        self.blind = False
        """Set where CRDs and APIServices cannot be watched: an absent kind is then asked for more often."""
        self._client = client
        self._on_state = on_state
        self._on_listed = on_listed
        self._poll = poll
        self._namespaces = namespaces
        self._namespace = namespace
        self._translate = translate
        self._sleep = sleep
        self._jitter = jitter
        self._listed = asyncio.Event()
        self._version = ""
        self._outdated = False
        """Set where something may serve the kind otherwise than discovery said last."""
        self._failures = 0
        self._wake = asyncio.Event()
        self._log = structlog.get_logger(__name__).bind(kind=resource.kind)

    def wake(self) -> None:
        """Look again now: something that may serve this kind has changed."""
        self._wake.set()

    async def listed(self) -> None:
        """Return once the store has held everything that the server has."""
        await self._listed.wait()

    async def run(self) -> None:
        """LIST and WATCH for ever."""
        while True:
            try:
                await self._discover()
                if not (self._served_now.watchable or self.resource.polled):
                    self._enter(State.UNWATCHED)
                    await self._pause(ABSENT_POLL_BLIND if self.blind else ABSENT_POLL)
                    self._wake.clear()
                    self._outdated = True
                    continue
                await self._list()
                while self._served_now.watchable:
                    await self._watch()
                await self._pause(self._poll * (0.8 + 0.4 * self._jitter()))
                self._look_again()
            except Gone:
                self._log.info("relist", why="the server has forgotten the resource version")
            except NotFound as error:
                await self._absent_or_failing(error)
            except ApiError as error:
                await self._failing(error)
            except Exception as error:  # a document that nobody expected must not end the process
                self._log.exception("unexpected")
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
    def _collection(self) -> str:
        """The path that is listed and watched: the whole cluster, or the one namespace that may be believed."""
        return self._served_now.collection(self._namespace)

    async def _list(self) -> None:
        """Replace the store by what the server has."""
        while True:
            epoch = self.store.epoch()
            reports, self._version = await self._pages(self._collection)
            if not await self._moved():
                break
        self.read_from = self.served
        self.store.replace(reports, epoch)
        self._failures = 0
        self._listed.set()
        self._enter(State.SYNCED)
        self._on_listed(self.resource)

    async def _moved(self) -> bool:
        """Whether the kind came to be served otherwise while it was listed, so that nobody stands for the answer.

        An aggregated API gives no version: what does is something else. So it may be where a CRD or APIService changed
        meanwhile.
        """
        before = self._served_now
        if before.watchable or not (self._version or self._wake.is_set()):
            return False
        self._wake.clear()
        self._outdated = True
        await self._discover()
        return self._served_now != before

    async def _pages(self, collection: str) -> tuple[list[Report[T]], str]:
        """Return all items of a collection, and the resource version to watch from.

        Each page is read at once, so that not all documents are held in full at a time. A page that is too large is
        asked for again, in smaller ones: tenants decide how large their objects are, up to 1.5 MiB each.
        """
        reports: list[Report[T]] = []
        limit = PAGE
        query = self._selector()
        accept = METADATA_LIST if self.resource.metadata_only else "application/json"
        most = None if self._served_now.watchable else UNPAGED_BYTES
        while True:
            try:
                page = await self._client.get(collection, {"limit": str(limit), **query}, accept=accept, most=most)
            except TooLarge:
                if limit == 1 or not self._served_now.watchable:
                    raise
                limit = max(1, limit // 4)
                continue
            except NotFound:
                everywhere = collection == self._collection
                if self._served_now.watchable or not everywhere or self._namespaces is None:
                    raise
                return await self._by_namespace(await self._namespaces())
            complete = (self._complete(item) for item in items_of(page, collection))
            reports += [self.store.read(document) for document in complete if document is not None]
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                return reports, str(metadata.get("resourceVersion") or "")
            query = {**query, "continue": metadata["continue"]}

    async def _by_namespace(self, namespaces: list[str]) -> tuple[list[Report[T]], str]:
        """All items where the server has no LIST over all namespaces (EnMasse ≤ 0.24).

        Raises ``NotFound`` where it has none of any namespace either: then the kind is gone.
        """
        reports: list[Report[T]] = []
        version = ""
        for namespace in namespaces:
            found, version = await self._pages(self._served_now.collection(namespace))
            reports += found
            if version:  # what answers now is no aggregated API any more
                break
        return reports, version

    def _look_again(self) -> None:
        """Ask discovery anew where something that may serve this kind has changed."""
        if self._wake.is_set():
            self._wake.clear()
            self._outdated = True

    async def _watch(self) -> None:
        """Follow changes until the server ends the watch, which is normal.

        Anything else ends in a LIST: after an outage the server may have been restored to an older state, and a watch
        from a version that it has not reached yet would be silent.
        """
        assert self.served is not None
        seconds = WATCH_SECONDS - int(30 * self._jitter())
        query = {
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(seconds),
            **self._selector(),
        }
        accept = METADATA if self.resource.metadata_only else "application/json"
        events = self._client.watch(self._collection, query, accept=accept, silence=WATCH_SILENCE, opened=self._opened)
        async for event in events:
            self._take(event)

    def _take(self, event: Document) -> None:
        kind, document = event["type"], event["object"]
        if kind == "ERROR":
            raise watch_error(document)
        self._version = document["metadata"]["resourceVersion"]
        if kind != "BOOKMARK" and (complete := self._complete(document)) is not None:
            self.store.apply_event(kind, complete)

    def _opened(self) -> None:
        self._failures = 0
        self._enter(State.SYNCED)

    async def _absent_or_failing(self, error: NotFound) -> None:
        """Ask discovery whether the kind is gone, or was only moved to another version."""
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
        self._failures = 0
        poll = ABSENT_POLL_BLIND if self.blind else ABSENT_POLL
        await self._pause(poll * (0.9 + 0.2 * self._jitter()))
        if self._wake.is_set():
            self._wake.clear()
            await self._sleep(JUST_CREATED)

    async def _failing(self, error: Exception) -> None:
        self._failures += 1
        delay = min(MAX_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures - 1, 10)) * (0.5 + self._jitter() / 2)
        if isinstance(error, ApiError) and error.retry_after:
            delay = max(delay, error.retry_after)
        self._enter(State.FAILING, str(error))
        if self._failures in (1, 5) or self._failures % 20 == 0:
            self._log.warning("failing", error=_advice(self.resource, error), retry_in=round(delay, 1))
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
            self._log.info("kind", state=state.value, served=self.served.api_version if self.served else None)
            self._on_state(self.resource, state)

    def _selector(self) -> dict[str, str]:
        return {"labelSelector": self.resource.selector} if self.resource.selector else {}

    def _complete(self, document: Document) -> Document | None:
        """Items of a LIST of a built-in kind do not say what they are."""
        if self._translate is not None:
            return self._translate(document)
        if self.served is not None and not self.resource.metadata_only:
            document["apiVersion"] = self.served.api_version
            document["kind"] = self.resource.kind
        return document


def items_of(page: Document, collection: str) -> list[Document]:
    """Return the items of a LIST's answer; ``null`` is a Go server's empty list. Raises ``Unavailable``.

    An answer without the key is none of a LIST: nothing may be concluded from it.
    """
    items = page.get("items", page)
    if items is None:
        return []
    if not isinstance(items, list):
        raise Unavailable(200, "NotAList", f"the answer for {collection} is not a list")
    return items


def _advice(resource: Resource, error: Exception) -> str:
    """Return the error in words that tell an administrator what to do."""
    if isinstance(error, Forbidden):
        return f"no permission to list and watch {resource.plural}: {error.message}"
    if isinstance(error, Unauthorized):
        return f"the API server does not accept our token: {error.message}"
    return str(error)
