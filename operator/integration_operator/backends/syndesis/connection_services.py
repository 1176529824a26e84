"""All Syndesis servers that the process talks to, on one session."""

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

READ_BUFFER = 64 * 1024
"""Bytes that aiohttp holds of an answer before it is read, up to twice that for each connection."""


class ConnectionServices:
    """The servers, each made when it is first needed; ``url_of`` gives the one of a namespace."""

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
        self._on_recovery: list[Callable[[str], None]] = []

    def on_recovery(self, callback: Callable[[str], None]) -> None:
        """Call back with the namespace when a server that was left alone answers again."""
        self._on_recovery.append(callback)

    def of(self, namespace: str) -> ConnectionService:
        """Return the server of a namespace: there is one Syndesis in each, and its Service has a fixed name."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),  # each Peer has its own; none is to use up another's
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
        return self._services[namespace]

    def forget(self, namespace: str) -> None:
        """Forget all that is known of a namespace's server, and that it was down: another one answers there now."""
        self._services.pop(namespace, None)

    def syndesis_changed(self, old: Syndesis | None, new: Syndesis | None) -> None:
        """Follow a store of Syndesis instances: one with another uid is another server."""
        for instance in (old, new):
            if instance is not None and (old is None or new is None or old.uid != new.uid):
                self.forget(instance.ref.namespace)

    def _recovered(self, namespace: str) -> None:
        for callback in self._on_recovery:
            callback(namespace)

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
