"""Why a server could not be reached, in words that tell a user what to look at.

Libraries wrap the operating system's error in errors of their own, each in its own way (``os_error`` of aiohttp, causes
and groups of httpx). What it was is found in the chain.
"""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

MAX_CHAIN = 20

NOT_FOR_NOW = frozenset({socket.EAI_AGAIN})
UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN})
CLOSED = ("ServerDisconnected", "RemoteProtocol", "ReadError", "WriteError", "ClientPayload", "IncompleteRead")
"""Names of errors that mean a connection which ended before the answer did; the libraries share no type for it."""

NO_HTTP = frozenset({"ClientResponseError", "BadStatusLine", "LineTooLong", "BadHttpMessage"})


def describe_network_error(error: BaseException, *, seconds: float | None = None) -> str:
    """Return what is wrong, as ``no such host``. ``seconds`` is how long an answer was waited for.

    Nothing of what a server said is in it.
    """
    chain = list(_chain(error))
    for single in chain:
        if said := _of_system(single):
            return said
    for single in chain:
        name = type(single).__name__
        if isinstance(single, TimeoutError) or "Timeout" in name:
            if "Connect" in name:
                return "no connection within the time for it"
            return "no answer in time" if seconds is None else f"no answer in {seconds:g} s"
        if isinstance(single, ConnectionError) or name.startswith(CLOSED):
            return "the connection was closed before the answer was complete"
        if name in NO_HTTP:
            return "its answer is not HTTP, or has headers that are too long"
    return f"no usable answer ({type(error).__name__})"


def _of_system(error: BaseException) -> str:
    match error:
        case socket.gaierror():
            return "the name cannot be resolved for now" if error.errno in NOT_FOR_NOW else "no such host"
        case ssl.SSLCertVerificationError(verify_message=str(why)):  # aiohttp's own of this type has no reason
            return f"TLS certificate not trusted ({why})"
        case ssl.SSLCertVerificationError():
            return ""
        case ssl.SSLError():
            return "TLS does not work with it; is it the port of plain HTTP?"
        case ConnectionRefusedError():
            return "connection refused"
        case OSError() if error.errno == errno.ECONNREFUSED:
            return "connection refused"
        case OSError() if error.errno in UNREACHABLE:
            return "no route to the host"
    return ""


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and all that led to it, the outermost first."""
    waiting, seen = [error], 0
    while waiting and seen < MAX_CHAIN:
        single = waiting.pop(0)
        seen += 1
        yield single
        causes = [getattr(single, "os_error", None), single.__cause__, single.__context__]
        causes += getattr(single, "exceptions", ())
        waiting += [cause for cause in causes if isinstance(cause, BaseException)]
