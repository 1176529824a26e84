"""An HTTP server for ports that any pod of the cluster may reach: connections and their time are bounded.

aiohttp's own sites bound neither, so that clients that connect and wait could exhaust files and memory.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress

import structlog
from aiohttp import web

from integration_operator.runtime.text import sanitized

log = structlog.get_logger(__name__)

MAX_CONNECTIONS = 64
"""An API server opens one for each review that it waits for, and keeps it. One takes up to 0.7 MiB while it sends."""

HANDSHAKE_SECONDS, IDLE_SECONDS, END_SECONDS = 2.0, 10.0, 1.0
"""For TLS, for the next request, and for requests to end on a stop."""

ACCEPT_DELAY = 1.0
"""Seconds after which connections are accepted again when that failed."""

MUTED = logging.Logger("aiohttp.server")
"""aiohttp logs a traceback for each request that is not HTTP, with what the client sent."""
MUTED.disabled = True


class BoundedServer(web.Server):
    """Answers requests on a port until cancelled.

    ``lifetime`` is the number of seconds after which a connection is closed, whatever it does; None if clients keep
    theirs.
    """

    def __init__(
        self, answer: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], *, lifetime: float | None = None
    ) -> None:
        super().__init__(
            answer,
            access_log=None,
            logger=MUTED,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=0,
        )
        self._lifetime = lifetime
        self._handshakes = 0

    async def listen(self, address: str, port: int, context: ssl.SSLContext | None = None) -> None:
        """Serve until cancelled, over TLS if there is a ``context``.

        Connections above ``MAX_CONNECTIONS`` are closed before TLS, which takes memory.
        """
        loop = asyncio.get_running_loop()
        family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
        try:
            with socket.create_server((address, port), family=family) as listener:
                listener.setblocking(False)
                async with asyncio.TaskGroup() as group:
                    while True:
                        try:
                            connection, _ = await loop.sock_accept(listener)
                        except OSError as error:  # it has ended already, or too many files are open
                            log.warning("connection not accepted", error=sanitized(error))
                            await asyncio.sleep(ACCEPT_DELAY)
                            continue
                        if self._handshakes + len(self.connections) >= MAX_CONNECTIONS:
                            connection.close()
                        else:
                            self._handshakes += 1
                            group.create_task(self._welcome(connection, context))
        finally:
            await self.shutdown(END_SECONDS)

    async def _welcome(self, connection: socket.socket, context: ssl.SSLContext | None) -> None:
        """Negotiate TLS; from then on aiohttp serves the connection."""
        loop = asyncio.get_running_loop()
        try:
            with suppress(OSError):  # ssl.SSLError is one, and that of the time-out
                transport, _ = await loop.connect_accepted_socket(
                    self, connection, ssl=context, ssl_handshake_timeout=HANDSHAKE_SECONDS if context else None
                )
                if self._lifetime is not None:
                    loop.call_later(self._lifetime, transport.abort)
        finally:
            self._handshakes -= 1
