"""How the simulated platforms follow the API server: a copy of one kind kept current, and a queue of keys to look at.

It is deliberately not the operator's own reflector: what simulates the other side of a contract must not share the
operator's mistakes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import ApiError, Conflict, NotFound, watch_error

Document = dict[str, Any]
Key = tuple[str, str]
"""Namespace and name."""

PAGE = 500
RETRY = 1.0  # seconds until a kind that is not served, or a server that does not answer, is asked again

log = structlog.get_logger()


def key_of(document: Document) -> Key:
    """The key of an object."""
    return document["metadata"].get("namespace", ""), document["metadata"]["name"]


class Copy:
    """The objects of one kind. ``changed`` is called with the key of each that came, changed or went."""

    def __init__(self, client: Client, path: str, changed: Callable[[Key], None]) -> None:
        self.objects: dict[Key, Document] = {}
        self.known = asyncio.Event()
        """Set once what is not in ``objects`` was not there: as controllers do, wait for it before doing anything."""
        self._client = client
        self._path = path
        self._changed = changed
        self._gone: dict[Key, int] = {}
        self._inside: dict[str, set[Key]] = {}

    def inside(self, namespace: str) -> list[Key]:
        """The keys of the objects in one namespace."""
        return list(self._inside.get(namespace, ()))

    def put(self, document: Document) -> None:
        """Take over an object, unless a newer one is known; so that an own write is seen at once."""
        key, version = key_of(document), _version(document)
        if version <= self._gone.get(key, 0):
            return
        known = self.objects.get(key)
        if known is None or _version(known) < version:
            self.objects[key] = document
            self._inside.setdefault(key[0], set()).add(key)
            self._changed(key)

    async def follow(self) -> None:
        """LIST and WATCH until cancelled; begin anew with LIST whenever the watch fails or ends."""
        while True:
            try:
                await self._watch(await self._list())
            except NotFound:  # the kind is not installed yet
                self.known.set()
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
        self.known.set()
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


class Queue:
    """Keys to look at: each at most once in the queue, and never at two workers."""

    def __init__(self) -> None:
        self._keys: asyncio.Queue[Key] = asyncio.Queue()
        self._wanted: set[Key] = set()
        self._busy: set[Key] = set()

    def add(self, key: Key) -> None:
        """Have a key looked at; again after this time, where it is being looked at now."""
        if key not in self._wanted:
            self._wanted.add(key)
            if key not in self._busy:
                self._keys.put_nowait(key)

    async def work(self, handle: Callable[[Key], Awaitable[None]]) -> None:
        """Handle keys for ever. What the API server refused is tried again."""
        while True:
            key = await self._keys.get()
            self._wanted.discard(key)
            self._busy.add(key)
            try:
                await handle(key)
            except (NotFound, Conflict):  # it has changed or gone meanwhile, and the watch brings that
                pass
            except ApiError as error:
                log.warning("a simulated platform tries again", object="/".join(key), error=str(error))
                asyncio.get_running_loop().call_later(RETRY, self.add, key)
            finally:
                self._busy.discard(key)
                if key in self._wanted:
                    self._keys.put_nowait(key)


async def run_until(stop: asyncio.Event, *work: Awaitable[None]) -> None:
    """Do all of the work at once until ``stop`` is set, or until some of it fails, which is raised."""
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
