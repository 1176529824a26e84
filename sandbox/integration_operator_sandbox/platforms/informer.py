"""Informer and work queue of the simulated platforms.

They are deliberately not the operator's own: what simulates the other side of a contract must not share the operator's
mistakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import ApiError, Conflict, NotFound, watch_error

Document = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""

PAGE = 500
RETRY = 1.0  # seconds

log = structlog.get_logger()


def key_of(document: Document) -> Key:
    """Return the key of an object."""
    return document["metadata"].get("namespace", ""), document["metadata"]["name"]


class Informer:
    """A local copy of the objects of one kind. ``changed`` is called with the key of each object that changes."""

    def __init__(self, client: Client, path: str, changed: Callable[[Key], None]) -> None:
        self.objects: dict[Key, Document] = {}
        self.synced = asyncio.Event()
        """Set after the first LIST: until then an object that is absent here may exist."""
        self._client = client
        self._path = path
        self._changed = changed
        self._gone: dict[Key, int] = {}
        self._inside: dict[str, set[Key]] = {}

    def inside(self, namespace: str) -> list[Key]:
        """Return the keys of the objects in one namespace."""
        return list(self._inside.get(namespace, ()))

    def put(self, document: Document) -> None:
        """Store an object unless a newer version is stored, so that an own write is seen at once."""
        key, version = key_of(document), _version(document)
        if version <= self._gone.get(key, 0):
            return
        known = self.objects.get(key)
        if known is None or _version(known) < version:
            self.objects[key] = document
            self._inside.setdefault(key[0], set()).add(key)
            self._changed(key)

    async def run(self) -> None:
        """LIST and WATCH until cancelled; LIST again whenever the watch fails or ends."""
        while True:
            try:
                await self._watch(await self._list())
            except NotFound:  # the kind is not installed yet
                self.synced.set()
                await asyncio.sleep(RETRY)
            except ApiError as error:
                log.debug("listing again", path=self._path, error=str(error))
                await asyncio.sleep(0 if error.status == 410 else RETRY)

    async def _list(self) -> str:
        listed: dict[Key, Document] = {}
        query = {"limit": str(PAGE)}
        while True:
            answer = await self._client.get(self._path, query)
            listed |= {key_of(document): document for document in answer.get("items") or ()}
            if not (more := answer["metadata"].get("continue")):
                break
            query["continue"] = more
        for key in self.objects.keys() - listed.keys():
            self._remove(self.objects[key])
        for document in listed.values():
            self.put(document)
        self.synced.set()
        return str(answer["metadata"]["resourceVersion"])

    async def _watch(self, version: str) -> None:
        while True:
            query = {"resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": "300"}
            async for event in self._client.watch(self._path, query):
                if event["type"] == "ERROR":
                    raise watch_error(event["object"])
                version = event["object"]["metadata"]["resourceVersion"]
                if event["type"] == "DELETED":
                    self._remove(event["object"])
                elif event["type"] != "BOOKMARK":
                    self.put(event["object"])

    def _remove(self, document: Document) -> None:
        key = key_of(document)
        self._gone[key] = max(self._gone.get(key, 0), _version(document))
        if key in self.objects and _version(self.objects[key]) <= self._gone[key]:
            del self.objects[key]
            self._inside[key[0]].discard(key)
            self._changed(key)


class WorkQueue:
    """Keys to reconcile: each at most once in the queue, and never at two workers."""

    def __init__(self) -> None:
        self._keys: asyncio.Queue[Key] = asyncio.Queue()
        self._dirty: set[Key] = set()
        self._processing: set[Key] = set()

    def add(self, key: Key) -> None:
        """Queue a key; if a worker has it now, queue it again afterwards."""
        if key not in self._dirty:
            self._dirty.add(key)
            if key not in self._processing:
                self._keys.put_nowait(key)

    async def work(self, handle: Callable[[Key], Awaitable[None]]) -> None:
        """Pass keys to ``handle`` until cancelled. Retry what the API server refused."""
        while True:
            key = await self._keys.get()
            self._dirty.discard(key)
            self._processing.add(key)
            try:
                await handle(key)
            except (NotFound, Conflict):  # changed or deleted meanwhile; the watch reports it
                pass
            except ApiError as error:
                log.warning("retrying", object="/".join(key), error=str(error))
                asyncio.get_running_loop().call_later(RETRY, self.add, key)
            finally:
                self._processing.discard(key)
                if key in self._dirty:
                    self._keys.put_nowait(key)


async def run_controllers(stop: asyncio.Event, informers: Sequence[Informer], *workers: Awaitable[None]) -> None:
    """Run the informers until ``stop`` is set, and the workers once all have synced. Raise the first error.

    As in the real controllers, an object that is not in a local copy yet never counts as deleted.
    """

    async def once_synced(worker: Awaitable[None]) -> None:
        for informer in informers:
            await informer.synced.wait()
        await worker

    work = [*(informer.run() for informer in informers), *map(once_synced, workers)]
    tasks = [asyncio.ensure_future(one) for one in work]
    stopping = asyncio.ensure_future(stop.wait())
    try:
        done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            task.result()
    finally:
        for task in (stopping, *tasks):
            task.cancel()
        await asyncio.gather(stopping, *tasks, return_exceptions=True)


def _version(document: Document) -> int:
    return int(document["metadata"]["resourceVersion"])
