"""A server of one kind that fails in every way a list or a watch can fail, and a reflector that reads from it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web

from integration_operator.runtime.client import Client
from integration_operator.runtime.reflector import Reflector
from integration_operator.runtime.resources import Resource
from integration_operator.runtime.store import Store
from tests.support.documents import Document
from tests.support.kubeconfigs import write_kubeconfig

Watch = Callable[[web.StreamResponse], Awaitable[None]]

KIND = Resource("Thing", "example.io", "things", version="v1", polled=True)


def thing(name: str, version: int, *, namespace: str = "n", **more: Any) -> Document:
    """Return an object of the kind."""
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {"metadata": metadata, **more}


def event(type_: str, document: Document) -> bytes:
    """Return an event of a watch as it is sent."""
    return json.dumps({"type": type_, "object": document}).encode() + b"\n"


class ThingServer:
    """Serves one kind: LISTs from ``objects``, watches from ``watches``, a function each, then silent watches."""

    def __init__(self) -> None:
        self.objects: list[Document] = []
        self.version = 1
        self.watches: list[Watch] = []
        self.answers: list[web.Response] = []
        self.lists = 0
        self.watched: list[str] = []
        self.namespaces: list[str | None] = []
        """The namespace of each LIST and watch; None is all."""
        self.served = True
        self.pages = 0
        """The most objects in a page; 0 for all in one."""
        self.limits: list[int] = []
        self.aggregated = False
        """Serves as EnMasse 0.24 does: without watch, and lists of one namespace only."""
        self.discovered = 0
        self.listing = asyncio.Event()
        """Lists of an API that can be watched wait for it."""
        self.listing.set()
        self.before_list: Callable[[], None] = lambda: None

    async def group(self, _: web.Request) -> web.Response:
        if not self.served:
            raise web.HTTPNotFound
        versions = [{"groupVersion": "example.io/v1", "version": "v1"}]
        return web.json_response({"versions": versions, "preferredVersion": versions[0]})

    async def resources(self, _: web.Request) -> web.Response:
        self.discovered += 1
        verbs = ["list"] if self.aggregated else ["list", "watch"]
        return web.json_response({"resources": [{"name": "things", "verbs": verbs}]})

    async def things(self, request: web.Request) -> web.StreamResponse:
        namespace = request.match_info.get("namespace")
        self.namespaces.append(namespace)
        if not self.served or (self.aggregated and namespace is None):
            raise web.HTTPNotFound
        if self.aggregated:
            self.lists += 1
            items = [o for o in self.objects if o["metadata"]["namespace"] == namespace]
            self.before_list()
            return web.json_response({"items": items, "metadata": {}})
        if "watch" in request.query:
            self.watched.append(request.query["resourceVersion"])
            response = web.StreamResponse()
            if self.watches:
                watch = self.watches.pop(0)
                await response.prepare(request)
                await watch(response)
                return response
            await response.prepare(request)
            await asyncio.sleep(60)
            return response
        self.lists += 1
        await self.listing.wait()
        if self.answers:
            return self.answers.pop(0)
        items = [o for o in self.objects if namespace in (None, o["metadata"]["namespace"])]
        metadata: Document = {"resourceVersion": str(self.version)}
        self.limits.append(int(request.query["limit"]))
        if self.pages:
            at, size = int(request.query.get("continue", "0")), min(self.limits[-1], self.pages)
            items = self.objects[at : at + size]
            if at + size < len(self.objects):
                metadata["continue"] = str(at + size)
        return web.json_response({"items": items, "metadata": metadata})


def status(code: int, reason: str = "", **headers: str) -> web.Response:
    """Return a refusal as the API server sends it."""
    return web.json_response(
        {"kind": "Status", "code": code, "reason": reason, "message": reason}, status=code, headers=headers
    )


@asynccontextmanager
async def running(
    server: ThingServer,
    tmp_path: Path,
    namespaces: Callable[[], Awaitable[list[str]]] | None = None,
    *,
    kind: Resource = KIND,
    within: Sequence[str] = (),
    **limits: Any,
) -> AsyncIterator[Reflector[Document]]:
    """Run the server and a reflector that reads from it; ``limits`` are the client's."""
    application = web.Application()
    application.router.add_get("/apis/example.io", server.group)
    application.router.add_get("/apis/example.io/v1", server.resources)
    application.router.add_get("/apis/example.io/v1/things", server.things)
    application.router.add_get("/apis/example.io/v1/namespaces/{namespace}/things", server.things)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    kubeconfig = write_kubeconfig(tmp_path, port)
    async with Client.from_kubeconfig(kubeconfig, **limits) as client:
        reflector: Reflector[Document] = Reflector(
            client, kind, Store(lambda d: d), poll=0.1, namespaces=namespaces, within=within, jitter=lambda: 0.0
        )
        task = asyncio.create_task(reflector.run())
        try:
            yield reflector
        finally:
            task.cancel()
    await runner.cleanup()


async def until(check: Callable[[], bool], within: float = 10.0) -> None:
    """Wait until a check is true."""
    end = time.monotonic() + within
    while not check():
        assert time.monotonic() < end, "not in time"
        await asyncio.sleep(0.01)


async def one_namespace() -> list[str]:
    """Return the namespaces of a cluster that has one."""
    return ["n"]


def names_in(reflector: Reflector[Document]) -> set[str]:
    """Return the names of what is in the reflector's store."""
    return {document["metadata"]["name"] for document in reflector.store}
