"""The HTTPS server, hosted by kopf."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Collection
from typing import Any

import kopf
import structlog
from aiohttp import web

from integration_operator.admission.certificate import self_signed
from integration_operator.admission.registration import Registration
from integration_operator.admission.review import Reviewer
from integration_operator.domain.model.integration import Integration
from integration_operator.runtime.client import Client
from integration_operator.runtime.conditions import Condition
from integration_operator.runtime.text import sanitized
from integration_operator.settings import Settings

log = structlog.get_logger(__name__)

SERVICE = "integration-operator-admission"
"""The name of the Service in deploy/."""

FILE_CHECK_SECONDS = 60.0
"""Seconds between two looks at the files of a given certificate. A kubelet updates mounted Secrets about as often."""

RESTART_DELAY = 5.0
"""Seconds after which a server that failed starts again: a given certificate may be missing or half written."""


class WebhookServer(kopf.WebhookServer):  # type: ignore[misc]
    """kopf's server, with a certificate that needs no library beside those of the operator."""

    @staticmethod
    def build_certificate(hostnames: Collection[str], password: str | None = None) -> tuple[bytes, bytes]:
        """Return a certificate for the hosts and its key, as PEM; kopf's own needs certbuilder and oscrypto."""
        return self_signed(hostnames)

    @staticmethod
    async def _serve(fn: Any, request: web.Request) -> web.Response:
        """Answer a body that cannot be parsed with 400: kopf's 500 logs a traceback for each."""
        try:
            response: web.Response = await kopf.WebhookServer._serve(fn, request)
        except (RecursionError, UnicodeDecodeError, LookupError):
            raise web.HTTPBadRequest from None
        return response


async def serve(client: Client, settings: Settings, problems: Callable[[Integration], list[Condition]]) -> None:
    """Answer reviews until cancelled. The client must be able to write while this process stands by."""
    registration = Registration(client, settings.admission_configuration, asyncio.get_running_loop().time)
    reviewer = Reviewer(lambda: registration.path, problems)
    host = settings.admission_host or f"{SERVICE}.{client.namespace}.svc"
    async with asyncio.TaskGroup() as group:  # at once, because kopf cancels every later task when it stops
        group.create_task(registration.watch(), name="watch of the webhook configuration")
        group.create_task(registration.repair(), name="repair of the webhook configuration")
        group.create_task(_listen(settings, host, reviewer, registration), name="admission server")


async def _listen(settings: Settings, host: str, reviewer: Reviewer, registration: Registration) -> None:
    """Run the server; restart it if it fails. kopf restarts it if the files of a given certificate change."""
    given = settings.admission_certificate
    files = {"certfile": given / "tls.crt", "pkeyfile": given / "tls.key"} if given is not None else {}
    while True:
        server = WebhookServer(
            addr=settings.bind_address,
            port=settings.admission_port,
            host=host,
            file_check_interval=FILE_CHECK_SECONDS,
            **files,
        )
        try:
            async with server:
                async for reached_by in server(reviewer):
                    if given is None:
                        registration.trust(base64.b64decode(reached_by["caBundle"]).decode().strip())
        except OSError as error:  # ssl.SSLError is one
            log.warning("admission server failed", error=sanitized(error), retry_in=RESTART_DELAY)
            await asyncio.sleep(RESTART_DELAY)
