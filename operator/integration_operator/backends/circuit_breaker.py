"""A circuit breaker and a limit on requests in flight for one host.

Each request to a host that does not answer waits for its time-out. The limit keeps other hosts unaffected. While the
circuit is open, requests are not sent and raise ``Deferred`` with a retry time. Retry times are staggered, so that one
request tries the host every few seconds and the others wait for its result.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import circuitbreaker
import structlog

from integration_operator.runtime.errors import Deferred, Failure

log = structlog.get_logger(__name__)

T = TypeVar("T")

IN_FLIGHT = 4
"""Requests in flight to one host. A Syndesis server is one pod (1 core, 800 MiB), and there may be hundreds of them."""
FAILURES = 5  # in a row; a restart behind a load balancer costs one or two
OPEN_FOR = 3
"""Seconds between two requests to a host that is down. That load harms no host, and pairs recover soon after it."""
MAX_DEFERRAL = 60.0
"""Maximum seconds until a deferred request is retried. Each request is deferred ``OPEN_FOR`` longer than the one
before, so only one or two of hundreds are retried at a time. The first success triggers all of them."""


class CircuitBreaker:
    """Sends all requests to one host, through ``call``.

    Failures of type ``unavailable`` open the circuit. ``hint`` is appended to the message for users. ``recovered`` is
    called when the circuit closes again.
    """

    def __init__(
        self,
        host: str,
        unavailable: type[Failure],
        *,
        hint: str = "",
        recovered: Callable[[], None] = lambda: None,
        in_flight: int = IN_FLIGHT,
        failures: int = FAILURES,
        open_for: int = OPEN_FOR,
        jitter: Callable[[], float] = random.random,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host = host
        self._unavailable = unavailable
        self._hint = hint
        self._recovered = recovered
        self._failures = failures
        self._open_for = open_for
        self._jitter = jitter
        self._clock = clock
        self._slots = asyncio.Semaphore(in_flight)
        self._breaker = circuitbreaker.CircuitBreaker(failures, open_for, unavailable, name=host)
        self._on_trial = False
        self._asked_at = -math.inf
        """When a request was last to be sent."""
        self._deferrals = 0
        """Requests that were deferred, or failed on trial, since the last failure."""
        self._last_failure = ("Unavailable", f"{host} does not answer")
        """Reason and message of the last failure of type ``unavailable``."""

    @property
    def is_open(self) -> bool:
        """True if requests to the host are held back; False once no request waits for it any more."""
        return not self._breaker.closed and self._clock() - self._asked_at < 2 * MAX_DEFERRAL

    async def call(self, request: Callable[[], Awaitable[T]]) -> T:
        """Send one request. Raises ``Deferred`` while the circuit is open.

        Only failures of type ``unavailable`` count. Any other failure is an answer of a working host. A cancelled
        request does not count. After ``open_for`` seconds one request tries the host.
        """
        self._asked_at = self._clock()
        self._refuse_while_open()
        async with self._slots:
            self._refuse_while_open()  # the wait for a slot may have been long
            with self._trial():
                try:
                    answer = await request()
                except Exception as error:
                    self._note(error)
                    if isinstance(error, self._unavailable) and self._breaker.opened:
                        error.message = self._message()  # the same as that of deferred requests
                        error.retry_after = self._retry_after()
                        error.deferred = True
                    raise
                self._note(None)
                return answer

    def trip(self, error: Failure) -> None:
        """Open the circuit at once, for a host whose answers are valid but do not end."""
        for _ in range(self._failures):
            self._note(error)

    @contextmanager
    def _trial(self) -> Iterator[None]:
        trial = self._breaker.state == circuitbreaker.STATE_HALF_OPEN
        self._on_trial = self._on_trial or trial
        try:
            yield
        finally:
            if trial:
                self._on_trial = False

    def _note(self, error: Exception | None) -> None:
        was_open = not self._breaker.closed
        # Without the error itself, whose traceback would keep the request and the answer in memory.
        self._breaker.__exit__(type(error) if error is not None else None, None, None)
        if isinstance(error, self._unavailable):
            self._last_failure = error.reason, error.message
            self._deferrals = 0
        if was_open and self._breaker.closed:
            log.info("circuit closed", host=self.host)
            self._recovered()
        elif not was_open and not self._breaker.closed:
            log.warning("circuit opened", host=self.host, error=self._last_failure[1])

    def _refuse_while_open(self) -> None:
        if self._breaker.opened or self._on_trial:
            raise Deferred(self._last_failure[0], self._message(), retry_after=self._retry_after())

    def _retry_after(self) -> float:
        """Return the seconds until this request may be retried, ``open_for`` later than the previous one."""
        remaining = float(self._breaker.open_remaining) if self._breaker.opened else float(self._open_for)
        position, self._deferrals = self._deferrals, self._deferrals + 1
        return min(remaining + position * self._open_for, MAX_DEFERRAL * (0.5 + self._jitter() / 2))

    def _message(self) -> str:
        """Return the message for users; it stays the same while the failure does."""
        hint = f" {self._hint}" if self._hint else ""
        return f"{self._last_failure[1]}; retried every {self._open_for} s.{hint}"
