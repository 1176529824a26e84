"""Watches through a proxy, line by line, and the faults of a stream."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import aiohttp
from aiohttp import web

from tests.support.faults.answers import reset, status
from tests.support.faults.boundaries import Boundary, plural_of_collection
from tests.support.faults.faults import Fault

if TYPE_CHECKING:
    from tests.support.faults.proxy import Proxy

NO_LIMIT = aiohttp.ClientTimeout(total=None, connect=5)
LEASES = "leases"
LAG = 0.7
"""Seconds by which the watch of a server that lags behind comes later."""
DELAY = 1.0
SILENCE = 2.0
REORDERING = 1.0
"""Seconds that an event waits for one of another kind at most."""


async def serve(proxy: Proxy, request: web.Request) -> web.StreamResponse:
    """Pass a watch on, and inject the fault of the run at its event."""
    plural = plural_of_collection(request.path) or request.path
    proxy.traffic.watch(proxy.life, plural)
    if plural in proxy.stale.lagging:
        proxy.stale.lagging.discard(plural)
        await asyncio.sleep(LAG)
    try:
        async with proxy.upstream.session.get(
            proxy.target(request), headers=proxy.headers(request), timeout=NO_LIMIT
        ) as stream:
            response = web.StreamResponse(status=stream.status, headers={"Content-Type": "application/json"})
            await response.prepare(request)
            rest = b""
            while chunk := await stream.content.readany():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    await _pass_on(proxy, request, response, plural, line + b"\n")
            return response
    except (aiohttp.ClientError, ConnectionResetError):
        reset(request)


async def _pass_on(proxy: Proxy, request: web.Request, response: web.StreamResponse, plural: str, line: bytes) -> None:
    """Send one event, or what the fault makes of it."""
    fault = proxy.injection.hits(_boundary(proxy, plural, line))
    if fault is None:
        await response.write(line)
        if plural != LEASES:
            proxy.injection.sent_event()
        return
    await _inject(proxy, fault, request, response, line)


def _boundary(proxy: Proxy, plural: str, line: bytes) -> Boundary | None:
    """Return the boundary of an event; None for a bookmark or an error, and for a Lease, which is renewed for ever."""
    event: dict[str, Any] = json.loads(line) if line.strip() else {}
    if plural == LEASES or event.get("type") not in ("ADDED", "MODIFIED", "DELETED"):
        return None
    metadata = event["object"]["metadata"]
    name = "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))
    return proxy.traffic.passes(proxy.life, proxy.upstream.name, "event", f"{event['type']} {plural} {name}")


async def _inject(proxy: Proxy, fault: Fault, request: web.Request, response: web.StreamResponse, line: bytes) -> None:
    match fault.name:
        case "dropped":
            asyncio.get_running_loop().call_later(DELAY, _reset_quietly, request)
        case "doubled":
            await response.write(line + line)
        case "delayed":
            await asyncio.sleep(DELAY)
            await response.write(line)
        case "reordered":
            with suppress(TimeoutError):
                await asyncio.wait_for(proxy.injection.event_passed.wait(), REORDERING)
            await response.write(line)
        case "cut":
            await response.write(line[: len(line) // 2])
            reset(request)
        case "silent":
            await asyncio.sleep(SILENCE)
            reset(request)
        case "watch-expired":
            expired = status(410, "Expired", "injected: too old resource version")
            await response.write(json.dumps({"type": "ERROR", "object": expired}).encode() + b"\n")
            await asyncio.sleep(DELAY)
            reset(request)
        case _:
            raise AssertionError(f"no fault of an event: {fault.name}")


def _reset_quietly(request: web.Request) -> None:
    with suppress(asyncio.CancelledError):
        reset(request)
