"""The HTTPS server. Every pod of the cluster may reach it, so who does not know the path costs little.

kopf's server is not used: it bounds neither connections nor time (docs/decisions/0015-admission.md).
"""

from __future__ import annotations

import asyncio
import hmac
import ssl
from collections.abc import Callable

import structlog
from aiohttp import web

from integration_operator import metrics
from integration_operator.admission.registration import Registration
from integration_operator.admission.review import NotAReview, Reviewer
from integration_operator.api import names
from integration_operator.domain.model.integration import Integration
from integration_operator.runtime.certificate_files import follow, load
from integration_operator.runtime.client import Client
from integration_operator.runtime.conditions import Condition
from integration_operator.runtime.http_server import BoundedServer
from integration_operator.runtime.json_text import Malformed, parse
from integration_operator.runtime.self_signed import self_signed
from integration_operator.settings import Settings

log = structlog.get_logger(__name__)

SERVICE = "integration-operator-admission"
"""The name of the Service in deploy/."""

BODY_SECONDS = 2.0
"""For a body. An API server waits 2 s for all."""


async def serve(client: Client, settings: Settings, problems: Callable[[Integration], list[Condition]]) -> None:
    """Answer reviews until cancelled. The client must be able to write while this process stands by."""
    registration = Registration(client, settings.admission_configuration, asyncio.get_running_loop().time)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    async with asyncio.TaskGroup() as group:  # at once, because kopf cancels every later task when it stops
        group.create_task(registration.watch(), name="watch of the webhook configuration")
        group.create_task(registration.repair(), name="repair of the webhook configuration")
        if (given := settings.admission_certificate) is not None:
            group.create_task(follow(given, context), name="certificate of the admission server")
        else:
            host = settings.admission_host or f"{SERVICE}.{client.namespace}.svc"
            certificate, key = self_signed(host, f"{names.FIELD_MANAGER} admission")
            load(context, certificate, key)
            registration.trust(certificate.decode().strip())
        server = Server(registration, Reviewer(problems))
        port = server.listen(settings.bind_address, settings.admission_port, context)
        group.create_task(port, name="admission server")


class Server(BoundedServer):
    """Answers reviews on the path that only API servers know."""

    def __init__(self, registration: Registration, reviewer: Reviewer) -> None:
        super().__init__(self._answer)
        self._registration = registration
        self._reviewer = reviewer

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
