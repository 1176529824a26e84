"""The certificate of a server, from a directory such as a mounted Secret, and each that takes its place."""

from __future__ import annotations

import asyncio
import os
import ssl
from pathlib import Path

import structlog

from integration_operator.runtime.text import sanitized

log = structlog.get_logger(__name__)

FILE_CHECK_SECONDS = 60.0
"""Seconds between two looks at the files. A kubelet updates mounted Secrets about as often."""


async def follow(directory: Path, context: ssl.SSLContext) -> None:
    """Load ``tls.crt`` and ``tls.key``, and each that take their place, until cancelled.

    Connections that are open keep the earlier certificate. While there is none, no handshake succeeds.
    """
    loaded: tuple[bytes, bytes] | None = None
    problem = ""
    while True:
        try:
            pair = (directory / "tls.crt").read_bytes(), (directory / "tls.key").read_bytes()
            if pair != loaded:
                load(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), *pair)  # raises if they do not match
                load(context, *pair)
                loaded, problem = pair, ""
                log.info("certificate loaded", directory=str(directory))
        except OSError as error:  # ssl.SSLError is one
            if (said := sanitized(error)) != problem:
                log.warning("certificate not loaded", directory=str(directory), error=said)
                problem = said
        await asyncio.sleep(FILE_CHECK_SECONDS)


def load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """Load a certificate and its key. Python reads them from files only: this one is in memory. Raises ``OSError``."""
    with os.fdopen(os.memfd_create("certificate"), "wb") as file:
        file.write(key + b"\n" + certificate)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")
