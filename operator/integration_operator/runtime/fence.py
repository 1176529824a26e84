"""A fence keeps a process from writing once another process may lead.

A task that cancels the workers is not enough. A process that was stopped (SIGSTOP, a frozen node, a paused virtual
machine) runs whatever its event loop had queued when it continues, in any order. So each request that writes passes the
fence in the same step of the event loop in which its bytes are handed to the kernel. A stop between the check and the
system call would still let one request pass: the kernel ends the process before it continues, with a timer that each
renewal sets anew (``set_alarm``).

What was handed to the kernel is sent at once, or, if the network loses it, again and again for minutes, also when the
process has ended. So the kernel gives up on it after the grace of the fence (``TCP_USER_TIMEOUT``).

What remains is a virtual machine whose clocks were paused with it, and a request that waits in a proxy or in the
server. No client can take those back. They do no harm that lasts: uids and resourceVersions are preconditions,
server-side apply creates nothing twice, and the leader's watch shows a field that went back in time.
"""

from __future__ import annotations

import math
import signal
import socket
import time
from collections.abc import Callable

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.client_reqrep import ClientResponse
from aiohttp.connector import Connection

from integration_operator.runtime.errors import Failure

READS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing and pass a closed fence."""


def boot_time() -> float:
    """Return the seconds since the boot; unlike ``time.monotonic`` they pass while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def set_alarm(seconds: float) -> None:
    """Let the kernel end this process in so many seconds, 0 for never.

    The signal is SIGALRM, with its default action: it needs no step of the interpreter. To a process that is stopped it
    is delivered when it continues, before its next instruction.
    """
    signal.setitimer(signal.ITIMER_REAL, seconds)


class NotLeading(Failure):
    """The request was not sent: this process does not lead, or not for certain."""

    quiet = True

    def __init__(self) -> None:
        super().__init__("NotLeading", "this process does not lead and must not write")


class Fence:
    """Lets writes pass until a time of its clock. It is closed at first.

    ``grace`` are the seconds from that time until another process may lead. ``alarm`` ends this process in so many
    seconds, 0 for never; it is set to the middle of the grace.
    """

    def __init__(
        self,
        grace: float,
        clock: Callable[[], float] = boot_time,
        alarm: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self.grace = grace
        self.clock = clock
        self._alarm = alarm
        self._open_until = -math.inf

    def open(self, until: float) -> None:
        """Let writes pass until a time."""
        self._open_until = until
        self._alarm(max(0.001, until + self.grace / 2 - self.clock()))

    def close(self) -> None:
        """Let no write pass any more."""
        self._open_until = -math.inf
        self._alarm(0.0)

    @property
    def is_open(self) -> bool:
        """True while a write may pass."""
        return self.clock() < self._open_until

    def check(self) -> None:
        """Raise ``NotLeading`` if the fence is closed. Call it in the step in which the write is sent."""
        if not self.is_open:
            raise NotLeading

    def seconds(self) -> float:
        """Return the seconds in which a write has to end that is sent now. Raises ``NotLeading``."""
        self.check()
        return self._open_until + self.grace - self.clock()

    @property
    def socket_option(self) -> tuple[int, int, int]:
        """The option of a socket whose peer does not confirm what was sent: level, option and milliseconds."""
        return (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(self.grace * 1000))

    def socket(self, address: aiohttp.AddrInfoType) -> socket.socket:
        """Return a new socket with the option; the ``socket_factory`` of aiohttp's connectors."""
        family, kind, protocol, _, _ = address
        connection = socket.socket(family, kind, protocol)
        connection.setsockopt(*self.socket_option)
        return connection


def fenced_request(fence: Fence) -> type[aiohttp.ClientRequest]:
    """Return a ``request_class`` for an ``aiohttp.ClientSession`` whose writes pass the fence.

    aiohttp hands a request to the kernel in ``send`` if it has no body, else in ``write_bytes``, which runs in a later
    step than ``send`` (Python 3.11). Between the two a process may have been stopped for an hour.
    """

    class FencedRequest(aiohttp.ClientRequest):
        async def send(self, conn: Connection) -> ClientResponse:
            if self.method not in READS:
                fence.check()
            return await super().send(conn)

        async def write_bytes(
            self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
        ) -> None:
            if self.method not in READS and not fence.is_open:
                if conn.protocol is not None:
                    conn.protocol.set_exception(NotLeading())  # raised where the response is awaited
                conn.close()
                return
            await super().write_bytes(writer, conn, content_length)

    return FencedRequest
