"""The steps before AMQP: the name, the TCP connection and TLS, with the standard library."""

from __future__ import annotations

import queue
import socket
import ssl
import threading
from contextlib import suppress
from typing import Any

from integration_operator.messaging.deadline import Deadline
from integration_operator.messaging.model import Endpoint, Reason, StepFailed
from integration_operator.runtime.network_errors import TEMPORARY_DNS, UNREACHABLE

Address = tuple[Any, ...]
"""One answer of ``getaddrinfo``."""

EXPIRED, NOT_YET_VALID = 10, 9
OF_ANOTHER_HOST, OF_ANOTHER_ADDRESS = 62, 64
"""Results of OpenSSL's verification (``X509_V_ERR_…``, x509_vfy.h)."""


def resolve(host: str, port: int, deadline: Deadline) -> list[Address]:
    """Return the addresses of a host. Raises ``StepFailed``."""
    answers: queue.SimpleQueue[list[Address] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)))
        except (OSError, UnicodeError) as error:
            answers.put(error)

    # getaddrinfo takes no time limit, and a thread that waits for it must not keep the process alive.
    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left(host))
    except queue.Empty:
        raise deadline.passed(f"name server for {host}") from None
    if isinstance(answer, list):
        return answer
    if isinstance(answer, socket.gaierror) and answer.errno in TEMPORARY_DNS:
        raise StepFailed(Reason.NAME_SERVER_FAILED, f"the name server does not answer for {host}")
    raise StepFailed(Reason.NO_SUCH_HOST, f"no host is named {host}")


def connect(addresses: list[Address], deadline: Deadline) -> tuple[socket.socket, str]:
    """Return a connection to the first address that accepts one, and that address. Raises ``StepFailed``."""
    failure = StepFailed(Reason.HOST_UNREACHABLE, "the name has no address")
    for family, type_, protocol, _, address in addresses:
        where = f"{address[0]} port {address[1]}"
        channel = socket.socket(family, type_, protocol)
        try:
            channel.settimeout(deadline.left(where))
            channel.connect(address)
            channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except TimeoutError:
            channel.close()
            failure = deadline.passed(where)
        except OSError as error:
            channel.close()
            failure = _refused(where, error)
        except BaseException:
            channel.close()
            raise
        else:
            return channel, str(address[0])
    raise failure


def _refused(where: str, error: OSError) -> StepFailed:
    if isinstance(error, ConnectionRefusedError):
        return StepFailed(Reason.CONNECTION_REFUSED, f"{where}: connection refused; nothing listens on the port")
    if error.errno in UNREACHABLE:
        return StepFailed(Reason.HOST_UNREACHABLE, f"{where}: no route to the host")
    return StepFailed(Reason.HOST_UNREACHABLE, f"{where}: {error.strerror or type(error).__name__}")


def handshake(channel: socket.socket, endpoint: Endpoint, deadline: Deadline) -> ssl.SSLSocket:
    """Return the connection with TLS, to a broker that has proved to be the endpoint's host. Raises ``StepFailed``.

    The caller closes ``channel`` if it fails.
    """
    context = _context(endpoint.ca)
    channel.settimeout(deadline.left(endpoint.host))
    try:
        return context.wrap_socket(channel, server_hostname=endpoint.host)
    except TimeoutError:
        raise deadline.passed(f"TLS with {endpoint.host}") from None
    except ssl.SSLCertVerificationError as error:
        raise _not_verified(endpoint, error) from None
    except ssl.SSLError as error:
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF_WHILE_READING"):
            raise StepFailed(Reason.NO_TLS_PORT, f"port {endpoint.port} does not speak TLS") from None
        why = (error.reason or "unknown").lower().replace("_", " ")
        raise StepFailed(Reason.TLS_FAILED, f"the handshake failed: {why}") from None
    except OSError:
        raise StepFailed(Reason.NO_TLS_PORT, "the connection was closed during the handshake") from None


def _context(ca: str | None) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError):
        raise StepFailed(Reason.CA_MALFORMED, "the CA is not a PEM certificate") from None
    # As Java does: the certificate that is given is trusted, also if another one has signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


def _not_verified(endpoint: Endpoint, error: ssl.SSLCertVerificationError) -> StepFailed:
    code = getattr(error, "verify_code", 0)
    if code == EXPIRED:
        return StepFailed(Reason.CERTIFICATE_EXPIRED, f"the certificate of {endpoint.host} has expired")
    if code == NOT_YET_VALID:
        detail = f"the certificate of {endpoint.host} is not valid yet by this machine's clock"
        return StepFailed(Reason.CERTIFICATE_NOT_YET_VALID, detail)
    if code in (OF_ANOTHER_HOST, OF_ANOTHER_ADDRESS):
        return StepFailed(
            Reason.CERTIFICATE_OF_ANOTHER_HOST, f"the broker's certificate is not valid for {endpoint.host}"
        )
    by = "the CA" if endpoint.ca else "this machine's CAs"
    why = getattr(error, "verify_message", "") or "unknown"
    return StepFailed(
        Reason.CERTIFICATE_NOT_TRUSTED, f"the certificate of {endpoint.host} is not trusted by {by} ({why})"
    )


def close(channel: socket.socket) -> None:
    """Close a connection, whatever its state."""
    with suppress(OSError):
        channel.close()
