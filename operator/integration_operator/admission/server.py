"""The HTTPS server. Every pod of the cluster may reach it, so who does not know the path costs little.

kopf's server is not used: it bounds neither connections nor time (docs/decisions/0015-admission.md).
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog
from aiohttp import web

from integration_operator import metrics
from integration_operator.admission.certificate import self_signed
from integration_operator.admission.registration import Registration
from integration_operator.admission.review import NotAReview, Reviewer
from integration_operator.domain.model.integration import Integration
from integration_operator.runtime.client import Client
from integration_operator.runtime.conditions import Condition
from integration_operator.runtime.json_text import Malformed, parse
from integration_operator.runtime.text import sanitized
from integration_operator.settings import Settings

log = structlog.get_logger(__name__)

SERVICE = "integration-operator-admission"
"""The name of the Service in deploy/."""

MAX_CONNECTIONS = 64
"""An API server opens one for each review that it waits for, and keeps it. One takes up to 0.7 MiB while it sends."""

HANDSHAKE_SECONDS, IDLE_SECONDS, BODY_SECONDS, END_SECONDS = 2.0, 10.0, 2.0, 1.0
"""For TLS, for the next request, for a body, and for reviews to end on a stop. An API server waits 2 s for all."""

MUTED = logging.Logger("aiohttp.server")
"""aiohttp logs a traceback for each request that is not HTTP, with what the client sent."""
MUTED.disabled = True

ACCEPT_DELAY = 1.0
"""Seconds after which connections are accepted again when that failed."""

FILE_CHECK_SECONDS = 60.0
"""Seconds between two looks at the files of a given certificate. A kubelet updates mounted Secrets about as often."""


async def serve(client: Client, settings: Settings, problems: Callable[[Integration], list[Condition]]) -> None:
    """Answer reviews until cancelled. The client must be able to write while this process stands by."""
    registration = Registration(client, settings.admission_configuration, asyncio.get_running_loop().time)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    async with asyncio.TaskGroup() as group:  # at once, because kopf cancels every later task when it stops
        group.create_task(registration.watch(), name="watch of the webhook configuration")
        group.create_task(registration.repair(), name="repair of the webhook configuration")
        if (given := settings.admission_certificate) is not None:
            group.create_task(_follow(given, context), name="certificate of the admission server")
        else:
            host = settings.admission_host or f"{SERVICE}.{client.namespace}.svc"
            certificate, key = self_signed(host)
            _load(context, certificate, key)
            registration.trust(certificate.decode().strip())
        server = Server(registration, Reviewer(problems))
        group.create_task(server.listen(settings, context), name="admission server")


class Server(web.Server):
    """Answers reviews on the path that only API servers know."""

    def __init__(self, registration: Registration, reviewer: Reviewer) -> None:
        super().__init__(
            self._answer,
            access_log=None,
            logger=MUTED,
            auto_decompress=False,
            keepalive_timeout=IDLE_SECONDS,
            lingering_time=0,
        )
        self._registration = registration
        self._reviewer = reviewer
        self._handshakes = 0

    async def listen(self, settings: Settings, context: ssl.SSLContext) -> None:
        """Serve until cancelled. Connections above ``MAX_CONNECTIONS`` are closed before TLS, which takes memory."""
        loop, address = asyncio.get_running_loop(), (settings.bind_address, settings.admission_port)
        family = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0][0]
        try:
            with socket.create_server(address, family=family) as listener:
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

    async def _welcome(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        """Negotiate TLS; from then on aiohttp serves the connection."""
        loop = asyncio.get_running_loop()
        try:
            with suppress(OSError):  # ssl.SSLError is one, and that of the time-out
                await loop.connect_accepted_socket(
                    self, connection, ssl=context, ssl_handshake_timeout=HANDSHAKE_SECONDS
                )
        finally:
            self._handshakes -= 1

    async def _answer(self, request: web.BaseRequest) -> web.Response:
        """Answer a request; the body is read only if the path is right."""
        path = self._registration.path
        if not path or not hmac.compare_digest(request.path.encode(errors="replace"), f"/{path}".encode()):
            return _refusal(404)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                body = await request.read()
            answer = await self._reviewer(parse(body))
        except TimeoutError:
            return _refusal(408, "refused")
        except (Malformed, NotAReview, web.RequestPayloadError):
            return _refusal(400, "refused")
        except web.HTTPRequestEntityTooLarge:
            return _refusal(413, "refused")
        except Exception:
            log.exception("review failed")
            return _refusal(500, "failed")
        metrics.ADMISSION_REVIEWS.labels("warned" if "warnings" in answer["response"] else "allowed").inc()
        return web.json_response(answer)


def _refusal(status: int, result: str | None = None) -> web.Response:
    """Return a response without a review; ``result`` is what the metrics count, if it was on the right path."""
    if result is not None:
        metrics.ADMISSION_REVIEWS.labels(result).inc()
    response = web.Response(status=status)
    response.force_close()
    return response


async def _follow(directory: Path, context: ssl.SSLContext) -> None:
    """Load the given certificate, and each that takes its place. Connections that are open keep the earlier one."""
    loaded: tuple[bytes, bytes] | None = None
    problem = ""
    while True:
        try:
            pair = (directory / "tls.crt").read_bytes(), (directory / "tls.key").read_bytes()
            if pair != loaded:
                _load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), *pair)  # raises if they do not match
                _load(context, *pair)
                loaded, problem = pair, ""
                log.info("certificate loaded", directory=str(directory))
        except OSError as error:  # ssl.SSLError is one
            if (said := sanitized(error)) != problem:
                log.warning("certificate not loaded", directory=str(directory), error=said)
                problem = said
        await asyncio.sleep(FILE_CHECK_SECONDS)


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a certificate and its key. Python reads them from files only: this one is in memory. Raises ``OSError``."""
    with os.fdopen(os.memfd_create("certificate"), "wb") as file:
        file.write(key + b"\n" + certificate)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
