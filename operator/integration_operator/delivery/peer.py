"""One host that is spoken to over REST, and may be down: how much is asked of it at once, and when to stop asking.

A platform that does not answer makes each request wait for its time-out. The limit keeps a host's troubles from taking
all of the operator's patience; the breaker answers in its place while it is known to be down, and says until when, so
that the engine comes back then and not before. Such a refusal is no failure of what was asked: it is ``Deferred``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from circuitbreaker import STATE_HALF_OPEN, CircuitBreaker

from integration_operator.domain.failure import Deferred, Failure

T = TypeVar("T")

IN_FLIGHT = 4
"""A Syndesis server has one small pod (1 core, 800 MiB), and there may be hundreds of them, each with its own share."""
FAILURES = 5  # in a row; a restart behind a load balancer costs one or two
OPEN_FOR = 30  # seconds; what restarts takes 10 to 30
SPREAD = 3.0  # seconds over which those that were refused come back
TRIAL = 5.0  # seconds after which those that met the one trial of a host come back; its success calls them earlier


class Peer:
    """All requests to one host go through ``call``.

    ``unavailable`` is the type of failure that means: this host does not work for anyone now. ``hint`` is what a user
    may look at then. ``recovered`` is called when a host that was left alone answers again.
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
    ) -> None:
        self.host = host
        self._unavailable = unavailable
        self._hint = hint
        self._recovered = recovered
        self._failures = failures
        self._open_for = open_for
        self._jitter = jitter
        self._slots = asyncio.Semaphore(in_flight)
        self._breaker = CircuitBreaker(failures, open_for, unavailable, name=host)
        self._on_trial = False
        self._trouble = ("Unavailable", f"{host} does not answer")
        """Reason and message of the last failure that counted."""

    async def call(self, make: Callable[[], Awaitable[T]]) -> T:
        """Make one request, in its turn. Raises ``Deferred`` instead while the host is left alone.

        Only the type that means unavailable counts. Any other failure is an answer: the host works. A request that
        was cancelled says nothing about it. After the time in which it is left alone one request tries the host.
        """
        self._refuse_while_open()
        async with self._slots:
            self._refuse_while_open()  # the wait for a turn may have been long
            with self._trial():
                try:
                    answer = await make()
                except Exception as error:
                    self._note(error)
                    if isinstance(error, self._unavailable) and self._breaker.opened:
                        error.message = self._words()  # the same that those are told who may not ask
                        error.retry_after = self._seconds_left()
                    raise
                self._note(None)
                return answer

    def leave_alone(self, error: Failure) -> None:
        """Leave the host alone at once, although each answer by itself was one: what it says has no end."""
        for _ in range(self._failures):
            self._note(error)

    @contextmanager
    def _trial(self) -> Iterator[None]:
        trial = self._breaker.state == STATE_HALF_OPEN
        self._on_trial = self._on_trial or trial
        try:
            yield
        finally:
            if trial:
                self._on_trial = False

    def _note(self, error: Exception | None) -> None:
        was_left_alone = not self._breaker.closed
        # Without the error itself, whose traceback would keep the request and the answer in memory.
        self._breaker.__exit__(type(error) if error is not None else None, None, None)
        if isinstance(error, self._unavailable):
            self._trouble = error.reason, error.message
        if was_left_alone and self._breaker.closed:
            self._recovered()

    def _refuse_while_open(self) -> None:
        if self._breaker.opened:
            raise self._deferred(self._seconds_left())
        if self._on_trial:
            raise self._deferred(TRIAL + SPREAD * self._jitter())

    def _seconds_left(self) -> float:
        return float(self._breaker.open_remaining) + SPREAD * self._jitter()

    def _deferred(self, seconds: float) -> Deferred:
        return Deferred(self._trouble[0], self._words(), retry_after=seconds)

    def _words(self) -> str:
        """Return what is wrong, in words that stay the same for as long as the host has the same trouble."""
        hint = f" {self._hint}" if self._hint else ""
        return f"{self._trouble[1]}; tried again in at most {self._open_for} s.{hint}"
