"""Answers that a proxy sends in the server's place."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from aiohttp import web

from tests.support.faults.faults import Fault

RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""``struct linger``: close with a reset, and drop what is not sent."""


@dataclass(frozen=True)
class Answer:
    """An answer of the server."""

    status: int
    headers: dict[str, str]
    body: bytes

    def response(self) -> web.Response:
        """Return it as the proxy sends it."""
        return web.Response(status=self.status, body=self.body, headers=self.headers)


def reset(request: web.Request) -> NoReturn:
    """Reset the connection of a request, and end its handler."""
    transport = request.transport
    if transport is not None:
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        transport.abort()
    raise asyncio.CancelledError


def refusal(server: str, fault: Fault) -> web.Response:
    """Return the answer of a fault, as the server of that name words it."""
    message = f"injected: {fault.text}"
    body: dict[str, Any] = {"errorCode": fault.status, "userMsg": message, "developerMsg": message}
    if server == "kubernetes":
        body = status(fault.status, fault.reason, message)
    elif server == "keycloak":
        body = {"errorMessage": message}
    headers = {"Content-Type": "application/json"}
    if fault.retry_after:
        headers["Retry-After"] = str(fault.retry_after)
    return web.Response(status=fault.status, body=json.dumps(body).encode(), headers=headers)


def status(code: int, reason: str, message: str) -> dict[str, Any]:
    """Return a ``metav1.Status`` of a failure."""
    document = {"kind": "Status", "apiVersion": "v1", "status": "Failure"}
    return {**document, "reason": reason, "message": message, "code": code}
