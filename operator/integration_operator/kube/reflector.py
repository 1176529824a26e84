"""One reflector per kind: LIST, replace the store, WATCH from there, LIST again where the server has forgotten.

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

from integration_operator.kube.client import METADATA, METADATA_LIST, Client
from integration_operator.kube.errors import ApiError, Forbidden, Gone, NotFound, Unauthorized, watch_error
from integration_operator.kube.kinds import Kind, Served, discover
from integration_operator.kube.store import Store

T = TypeVar("T")
Document = dict[str, Any]
Sleep = Callable[[float], Awaitable[None]]

PAGE = 500  # client-go's default page of a reflector: a LIST's memory is bounded by it
WATCH_SECONDS = 290  # under the five minutes after which proxies on the way like to cut
WATCH_SILENCE = 150.0  # kube-apiserver sends a bookmark about every minute: twice that without a byte is a dead line
FIRST_BACKOFF, LONGEST_BACKOFF = 0.5, 30.0
ABSENT_POLL = 600.0  # a new CRD or APIService wakes us at once; this is for clusters that do not let us watch those
ABSENT_POLL_BLIND = 30.0
JUST_CREATED = 0.5  # a CRD is served a moment after it is there


class State(Enum):
    """What is known of a kind."""

    STARTING = "not listed yet"
    SYNCED = "in sync"
    ABSENT = "not served"
    FAILING = "failing"


class Reflector(Generic[T]):
    """Keeps one store in step with the server until it is cancelled."""

    def __init__(
        self,
        client: Client,
        kind: Kind,
        store: Store[T],
        *,
        on_state: Callable[[Kind, State], None] = lambda kind, state: None,
        on_listed: Callable[[Kind, list[T]], None] = lambda kind, vanished: None,
        sleep: Sleep = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.kind = kind
        self.store = store
        self.state = State.STARTING
        self.served: Served | None = None
        self.problem = ""
        self.blind = False
        """Set where CRDs and APIServices cannot be watched: an absent kind is then asked for more often."""
        self._client = client
        self._on_state = on_state
        self._on_listed = on_listed
        self._sleep = sleep
        self._jitter = jitter
        self._version = ""
        self._failures = 0
        self._wake = asyncio.Event()
        self._log = structlog.get_logger(__name__).bind(kind=kind.name)

    def wake(self) -> None:
        """Look again now: something that may serve this kind has changed."""
        self._wake.set()

    async def run(self) -> None:
        """LIST and WATCH for ever."""
        while True:
            try:
                await self._list()
                while True:
                    await self._watch()
            except Gone:
                self._log.info("relist", why="the server has forgotten the resource version")
            except NotFound as error:
                await self._absent_or_failing(error)
            except ApiError as error:
                await self._failing(error)
            except Exception as error:  # a document that nobody expected must not end the process
                self._log.exception("unexpected")
                await self._failing(error)

    async def _list(self) -> None:
        """Replace the store by what the server has, page by page."""
        if self.served is None:
            self.served = await discover(self._client, self.kind)
            if self.served is None:
                raise NotFound(404, "NotFound", f"{self.kind} is not served")
        epoch = self.store.epoch()
        documents: list[Document] = []
        query = {"limit": str(PAGE), **self._selector()}
        accept = METADATA_LIST if self.kind.metadata_only else "application/json"
        while True:
            page = await self._client.get(self.served.collection(), query, accept=accept)
            documents += page.get("items") or []
            metadata = page.get("metadata") or {}
            if not metadata.get("continue"):
                break
            query = {**query, "continue": metadata["continue"]}
        self._version = str(metadata.get("resourceVersion") or "")
        vanished = self.store.replace((self._complete(d) for d in documents), epoch)
        self._failures = 0
        self._enter(State.SYNCED)
        self._on_listed(self.kind, vanished)

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
        accept = METADATA if self.kind.metadata_only else "application/json"
        events = self._client.watch(
            self.served.collection(), query, accept=accept, silence=WATCH_SILENCE, opened=self._opened
        )
        async for event in events:
            self._take(event)

    def _take(self, event: Document) -> None:
        kind, document = event["type"], event["object"]
        if kind == "ERROR":
            raise watch_error(document)
        self._version = document["metadata"]["resourceVersion"]
        if kind != "BOOKMARK":
            self.store.apply_event(kind, self._complete(document))

    def _opened(self) -> None:
        self._failures = 0
        self._enter(State.SYNCED)

    async def _absent_or_failing(self, error: NotFound) -> None:
        """Ask discovery whether the kind is gone, or was only moved to another version."""
        was_served, self.served = self.served, None
        if was_served is not None:
            with suppress(ApiError):
                self.served = await discover(self._client, self.kind)
            if self.served is not None:
                await self._failing(error)
                return
        epoch = self.store.epoch()
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
        delay = min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** min(self._failures - 1, 10)) * (0.5 + self._jitter() / 2)
        if isinstance(error, ApiError) and error.retry_after:
            delay = max(delay, error.retry_after)
        self._enter(State.FAILING, str(error))
        if self._failures in (1, 5) or self._failures % 20 == 0:
            self._log.warning("failing", error=_advice(self.kind, error), retry_in=round(delay, 1))
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
            self._on_state(self.kind, state)

    def _selector(self) -> dict[str, str]:
        return {"labelSelector": self.kind.selector} if self.kind.selector else {}

    def _complete(self, document: Document) -> Document:
        """Items of a LIST of a built-in kind do not say what they are."""
        if self.served is not None and not self.kind.metadata_only:
            document["apiVersion"] = self.served.api_version
            document["kind"] = self.kind.name
        return document


def _advice(kind: Kind, error: Exception) -> str:
    """The error with what a person would have to do about it."""
    if isinstance(error, Forbidden):
        return f"no permission to list and watch {kind.plural}: {error.message}"
    if isinstance(error, Unauthorized):
        return f"the API server does not accept our token: {error.message}"
    return str(error)
