"""The clients of all Syndesis servers, with one HTTP session."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import aiohttp

from integration_operator.backends.circuit_breaker import CircuitBreaker
from integration_operator.backends.limits import DEFAULT, Limits
from integration_operator.backends.syndesis.client import SyndesisClient
from integration_operator.backends.syndesis.connection_service import ConnectionService
from integration_operator.backends.syndesis.errors import SyndesisUnavailable
from integration_operator.domain.model.platforms import Syndesis
from integration_operator.runtime.fence import fenced_request

READ_BUFFER = 64 * 1024
"""Bytes that aiohttp buffers of an answer, up to twice that for each connection."""


class ConnectionServices:
    """Creates the service of each namespace on first use; ``url_of`` returns the URL of a namespace."""

    def __init__(
        self,
        url_of: Callable[[str], str],
        *,
        limits: Limits = DEFAULT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url_of = url_of
        self._limits = limits
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._services: dict[str, ConnectionService] = {}
        self._breakers: dict[str, CircuitBreaker] = {}
        self._on_recovery: list[Callable[[str], None]] = []

    def on_recovery(self, callback: Callable[[str], None]) -> None:
        """Call ``callback`` with the namespace of a server that recovered."""
        self._on_recovery.append(callback)

    def of(self, namespace: str) -> ConnectionService:
        """Return the service of a namespace, which has at most one Syndesis with a Service of a fixed name."""
        if self._session is None:
            fence = self._limits.fence
            self._session = aiohttp.ClientSession(
                request_class=aiohttp.ClientRequest if fence is None else fenced_request(fence),
                # Each circuit breaker has its own limit.
                connector=aiohttp.TCPConnector(limit=0, socket_factory=None if fence is None else fence.socket),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                read_bufsize=READ_BUFFER,
            )
        if namespace not in self._services:
            url = self._url_of(namespace)
            hint = f"Is Syndesis running in namespace {namespace}?"
            breaker = CircuitBreaker(url, SyndesisUnavailable, hint=hint, recovered=partial(self._recovered, namespace))
            client = SyndesisClient(url, self._session, breaker=breaker, limits=self._limits)
            self._services[namespace] = ConnectionService(client, self._clock)
            self._breakers[namespace] = breaker
        return self._services[namespace]

    def forget(self, namespace: str) -> None:
        """Drop the state of a namespace's server and its circuit breaker: another server answers now."""
        self._services.pop(namespace, None)
        self._breakers.pop(namespace, None)

    def syndesis_changed(self, old: Syndesis | None, new: Syndesis | None) -> None:
        """Drop the state of servers whose Syndesis has a new uid; a subscriber of the store of Syndesis."""
        for instance in (old, new):
            if instance is not None and (old is None or new is None or old.uid != new.uid):
                self.forget(instance.ref.namespace)

    def open_circuits(self) -> int:
        """Return the number of servers to which requests are held back."""
        return sum(breaker.is_open for breaker in self._breakers.values())

    def _recovered(self, namespace: str) -> None:
        for callback in self._on_recovery:
            callback(namespace)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
