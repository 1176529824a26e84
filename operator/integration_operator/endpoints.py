"""What a process serves on its metrics port: /metrics, /readyz and the status page.

Any pod of the cluster may reach the port, so a connection serves one request and ends after seconds, pages are made at
a bounded rate, and only what the settings name is served.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from time import monotonic

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from integration_operator.runtime.delegated_access import Access, Decision
from integration_operator.runtime.http_server import BoundedServer
from integration_operator.runtime.token_bucket import TokenBucket
from integration_operator.status_page.page import HEADERS, page
from integration_operator.status_page.query import InvalidQuery, Query
from integration_operator.status_page.report import Report

log = structlog.get_logger(__name__)

METRICS, READY, STATUS, STATUS_JSON = "/metrics", "/readyz", "/status", "/status.json"

CONNECTION_SECONDS = 15.0
"""Seconds after which a connection is closed, slow as it may be. Prometheus waits 10 s for a scrape by default."""

PAGES, BURST = 5.0, 20
"""Pages a second, and at once. One of 10,000 pairs takes 10 to 15 ms, in which nothing else runs."""

METHODS = ("GET", "HEAD")

HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(:[0-9]+)?")
"""The header ``Host``: a name or address, perhaps with a port."""

LOOPBACK = ("127.0.0.1", "::1", "::ffff:127.0.0.1")
OF_PROXIES = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Request-Id")
NOT_FORWARDED = "forward the port with kubectl port-forward, or set metrics_authentication"

UNAUTHORIZED = {"WWW-Authenticate": 'Bearer realm="integration-operator"'}
BROWSER_UNAUTHORIZED = {"WWW-Authenticate": 'Basic realm="integration-operator: a token as password", charset="UTF-8"'}
"""A browser asks for user and password, and has no other way to send a token."""

REFUSALS = {Decision.UNAUTHENTICATED: 401, Decision.FORBIDDEN: 403, Decision.UNAVAILABLE: 503}


class Endpoints(BoundedServer):
    """Answers on the metrics port.

    ``unsynced`` returns the kinds that make /readyz fail, with the problem. ``report`` makes what the status page
    shows, None if there is no such page. With ``access`` everything but /readyz needs a token; without it the status
    page is shown to a forwarded port only.
    """

    def __init__(
        self,
        unsynced: Callable[[], Mapping[str, str]],
        report: Callable[[Query], Report] | None = None,
        access: Access | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(self._answer, lifetime=CONNECTION_SECONDS)
        self._unsynced = unsynced
        self._access = access
        self._clock = clock
        self._pages = TokenBucket(PAGES, BURST, clock())
        self._handlers: dict[str, Callable[[web.BaseRequest], web.Response]] = {
            METRICS: _metrics,
            READY: self._ready,
        }
        if report is not None:
            self._report = report
            self._handlers |= {STATUS: self._status, STATUS_JSON: self._status}

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        try:
            response = await self._response(request)
        except Exception:
            log.exception("request failed", path=request.path if request.path in self._handlers else "")
            response = _refusal(500)
        response.force_close()
        return response

    async def _response(self, request: web.BaseRequest) -> web.Response:
        handler = self._handlers.get(request.path)
        if handler is None:
            return _refusal(404)
        if request.method not in METHODS:
            return _refusal(405, {"Allow": ", ".join(METHODS)})
        if self._access is not None and request.path != READY:
            decision = await self._access.review(request.headers.get("Authorization", ""), request.path)
            if decision is not Decision.ALLOWED:
                return _refusal(REFUSALS[decision], self._challenge(request, decision))
        return handler(request)

    def _challenge(self, request: web.BaseRequest, decision: Decision) -> Mapping[str, str]:
        if decision is not Decision.UNAUTHENTICATED:
            return {}
        return BROWSER_UNAUTHORIZED if request.path == STATUS else UNAUTHORIZED

    def _ready(self, _: web.BaseRequest) -> web.Response:
        unsynced = self._unsynced()
        lines = [f"{kind}: {problem}" for kind, problem in unsynced.items()] or ["ok"]
        return web.Response(text="\n".join(lines) + "\n", status=503 if unsynced else 200)

    def _status(self, request: web.BaseRequest) -> web.Response:
        if self._access is None:
            if not is_forwarded(request):
                return _refusal(403, text=NOT_FORWARDED)
            if not is_local_name(request.host):
                return _refusal(421, text="open this page as localhost")
        if wait := self._pages.take(self._clock()):
            return _refusal(429, {"Retry-After": str(int(wait) + 1)})
        try:
            report = self._report(Query.parse(request.query.items()))
        except InvalidQuery as error:
            return _refusal(400, text=str(error))
        if request.path == STATUS_JSON:
            text, content_type = json.dumps(dataclasses.asdict(report)), "application/json"
        else:
            text, content_type = page(report), "text/html"
        return web.Response(text=text, content_type=content_type, charset="utf-8", headers=HEADERS)


def is_forwarded(request: web.BaseRequest) -> bool:
    """Check if a request came as ``kubectl port-forward`` sends it: from within the pod, and through no proxy.

    The API server let it in. The sidecar of a service mesh is in the pod, too, and brings what any pod sends: it has
    another address (Istio: 127.0.0.6), or adds headers.
    """
    return request.remote in LOOPBACK and not any(header in request.headers for header in OF_PROXIES)


def is_local_name(host: str) -> bool:
    """Check if the header ``Host`` has localhost or an IP address.

    A browser lets no other site read the page. A site that makes its own DNS name lead to a forwarded port (DNS
    rebinding) could, but it cannot send one of these.
    """
    match = HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].strip("[]")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost"
    return True


def _metrics(_: web.BaseRequest) -> web.Response:
    return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _refusal(status: int, headers: Mapping[str, str] | None = None, text: str = "") -> web.Response:
    return web.Response(status=status, text=text, headers={**HEADERS, **(headers or {})})
