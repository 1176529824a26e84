"""Descriptions of network errors for users.

Each library wraps the error of the operating system in its own way (``os_error`` of aiohttp, causes and groups of
httpx). The original error is found in the chain.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

MAX_CHAIN = 20

TEMPORARY_DNS = frozenset({socket.EAI_AGAIN})
UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
CLOSED = ("ServerDisconnected", "RemoteProtocol", "ReadError", "WriteError", "ClientPayload", "IncompleteRead")
"""Names of errors for a connection that closed before the response was complete. The libraries share no type for it."""

NO_HTTP = frozenset({"ClientResponseError", "BadStatusLine", "LineTooLong", "BadHttpMessage"})


def describe_network_error(error: BaseException, *, seconds: float | None = None) -> str:
    """Return a description such as ``no such host``. ``seconds`` is the time-out of the request.

    The description quotes nothing that the server sent.
    """
    chain = list(_chain(error))
    for link in chain:
        if description := _describe_os_error(link):
            return description
    for link in chain:
        name = type(link).__name__
        if isinstance(link, TimeoutError) or "Timeout" in name:
            if "Connect" in name:
                return "connection timed out"
            return "no answer in time" if seconds is None else f"no answer in {seconds:g} s"
        if isinstance(link, ConnectionError) or name.startswith(CLOSED):
            return "the connection was closed before the answer was complete"
        if name in NO_HTTP:
            return "the answer is not HTTP, or its headers are too long"
    return f"no usable answer ({type(error).__name__})"


def _describe_os_error(error: BaseException) -> str:
    match error:
        case socket.gaierror():
            return "temporary DNS failure" if error.errno in TEMPORARY_DNS else "no such host"
        case ssl.SSLCertVerificationError(verify_message=str(why)):  # aiohttp's error of this type has no reason
            return f"TLS certificate not trusted ({why})"
        case ssl.SSLCertVerificationError():
            return ""
        case ssl.SSLError():
            return "TLS handshake failed; is this a plain HTTP port?"
        case ConnectionRefusedError():
            return "connection refused"
        case OSError() if error.errno == errno.ECONNREFUSED:
            return "connection refused"
        case OSError() if error.errno in UNREACHABLE:
            return "no route to the host"
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes, the outermost first."""
    pending, count = [error], 0
    while pending and count < MAX_CHAIN:
        link = pending.pop(0)
        count += 1
        yield link
        causes = [getattr(link, "os_error", None), link.__cause__, link.__context__]
        causes += getattr(link, "exceptions", ())
        pending += [cause for cause in causes if isinstance(cause, BaseException)]
