"""Ask a component whether it serves."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

from integration_operator_sandbox.localhost.machine import LOOPBACK

TIMEOUT = 5.0  # seconds


def serves(port: int, path: str, *, context: ssl.SSLContext | None = None, token: str = "", below: int = 300) -> bool:
    """Return True if a GET of the path is answered with a status below ``below``, over HTTPS if a context is given."""
    connection = (
        http.client.HTTPSConnection(LOOPBACK, port, timeout=TIMEOUT, context=context)
        if context
        else http.client.HTTPConnection(LOOPBACK, port, timeout=TIMEOUT)
    )
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status < below
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def trusting(certificate: Path) -> ssl.SSLContext | None:
    """Return a context that trusts a certificate; None if the file is absent or half written."""
    try:
        return ssl.create_default_context(cafile=str(certificate))
    except (OSError, ssl.SSLError):
        return None


def unverified() -> ssl.SSLContext:
    """Return a context for a server that creates a certificate at each start and stores it nowhere."""
    return ssl._create_unverified_context()  # noqa: S323
