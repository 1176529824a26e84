"""One host that is spoken to over REST, and may be down: how much is asked of it at once, and when to stop asking.

A platform that does not answer makes each request wait for its time-out. The limit keeps a host's troubles from taking
all of the operator's patience; the breaker answers in its place while it is known to be down, and says when to come
back: one after the other, so that one tries the host every few seconds and all others wait for what comes of it. Such a
refusal is no failure of what was asked: it is ``Deferred``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import circuitbreaker

from integration_operator.runtime.errors import Deferred, Failure

T = TypeVar("T")

IN_FLIGHT = 4
"""A Syndesis server has one small pod (1 core, 800 MiB), and there may be hundreds of them, each with its own share."""
FAILURES = 5  # in a row; a restart behind a load balancer costs one or two
OPEN_FOR = 3
"""Seconds between two requests that try a host which is down. One small request in three seconds harms no host, and
what waits for it should not wait longer for its return."""
MAX_DEFERRAL = 60.0
"""Seconds after which one that was refused comes back at the latest. Each comes a turn later than the one before, so
that of hundreds only one or two come at a time: the success of whoever tries the host calls all of them."""


class CircuitBreaker:
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
        self._breaker = circuitbreaker.CircuitBreaker(failures, open_for, unavailable, name=host)
        self._on_trial = False
        self._turns = 0
        """How many were refused, or tried in vain, since the host was left alone last."""
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
                        error.retry_after = self._turn()
                        error.deferred = True
                    raise
                self._note(None)
                return answer

    def trip(self, error: Failure) -> None:
        """Leave the host alone at once, although each answer by itself was one: what it says has no end."""
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
        was_left_alone = not self._breaker.closed
        # Without the error itself, whose traceback would keep the request and the answer in memory.
        self._breaker.__exit__(type(error) if error is not None else None, None, None)
        if isinstance(error, self._unavailable):
            self._trouble = error.reason, error.message
            self._turns = 0
        if was_left_alone and self._breaker.closed:
            self._recovered()

    def _refuse_while_open(self) -> None:
        if self._breaker.opened or self._on_trial:
            raise Deferred(self._trouble[0], self._words(), retry_after=self._turn())

    def _turn(self) -> float:
        """Return the seconds until the next one may try the host; each that asks gets the turn after the last."""
        left = float(self._breaker.open_remaining) if self._breaker.opened else float(self._open_for)
        turn, self._turns = self._turns, self._turns + 1
        return min(left + turn * self._open_for, MAX_DEFERRAL * (0.5 + self._jitter() / 2))

    def _words(self) -> str:
        """Return what is wrong, in words that stay the same for as long as the host has the same trouble."""
        hint = f" {self._hint}" if self._hint else ""
        return f"{self._trouble[1]}; tried again every {self._open_for} s.{hint}"
