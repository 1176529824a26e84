"""LISTs through a proxy, and the faults of a LIST."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from yarl import URL

from tests.support.faults.answers import refusal
from tests.support.faults.boundaries import plural_of_collection
from tests.support.faults.faults import FAULTS

if TYPE_CHECKING:
    from tests.support.faults.proxy import Proxy

CONTINUE_EXPIRED = FAULTS["continue-expired"]


@dataclass
class StaleLists:
    """Answers to LISTs as they were at a moment, by path and query: what a server that lags behind would answer."""

    requests: dict[str, dict[str, str]] = field(default_factory=dict)
    """The headers of each LIST that was sent."""
    answers: dict[str, bytes] = field(default_factory=dict)
    lagging: set[str] = field(default_factory=set)
    """Kinds whose watches lag behind, too."""
    expiring: set[str] = field(default_factory=set)
    """Kinds of which the next page is refused."""

    async def take(self, session: aiohttp.ClientSession, origin: str) -> None:
        """Send all LISTs again, and keep the answers."""
        for path, headers in list(self.requests.items()):  # others may be sent meanwhile
            async with session.get(URL(f"{origin}{path}", encoded=True), headers=headers) as answer:
                if answer.status == 200:
                    self.answers[path] = await answer.read()


def is_list(request: web.Request) -> bool:
    """Return True for a LIST of a reflector, which asks for pages."""
    return request.method == "GET" and "limit" in request.query and plural_of_collection(request.path) is not None


async def serve(proxy: Proxy, request: web.Request) -> web.StreamResponse:
    """Answer a LIST as the server does, or as the fault of the run says."""
    plural = plural_of_collection(request.path)
    assert plural is not None
    what = f"LIST {plural}"
    note = proxy.traffic.note(proxy.life, proxy.upstream.name, what, is_write=False)
    stale, query = proxy.stale, {}
    if "continue" not in request.query:
        stale.requests.setdefault(request.raw_path, proxy.headers(request))
        fault = proxy.injection.hits(proxy.traffic.passes(proxy.life, proxy.upstream.name, "list", what))
        if fault is CONTINUE_EXPIRED:
            stale.expiring.add(plural)
            query = {"limit": "1"}
        elif fault is not None and fault.status:
            note.answer = fault.name
            return refusal(proxy.upstream.name, fault)
        elif fault is not None and request.raw_path in stale.answers:
            note.answer = fault.name
            stale.lagging.add(plural)
            return web.Response(body=stale.answers[request.raw_path], headers={"Content-Type": "application/json"})
    elif plural in stale.expiring:
        stale.expiring.discard(plural)
        note.answer = CONTINUE_EXPIRED.name
        return refusal(proxy.upstream.name, CONTINUE_EXPIRED)
    answer = await proxy.forward(request, b"", **query)
    note.answer = str(answer.status)
    return answer.response()
