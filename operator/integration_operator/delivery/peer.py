"""One host that is spoken to over REST, and may be down: how much is asked of it at once, and when to stop asking.

A platform that does not answer makes each request wait for its time-out. The limit keeps a host's troubles from taking
all of the operator's patience; the breaker answers in its place while it is known to be down, and says until when, so
that the engine comes back then and not before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from circuitbreaker import CircuitBreaker

from integration_operator.domain.failure import Failure

T = TypeVar("T")

IN_FLIGHT = 8
FAILURES = 5  # in a row; a restart behind a load balancer costs one or two
OPEN_FOR = 30  # seconds; what restarts takes 10 to 30


class UnavailableType(Protocol):
    """A type of ``Failure`` that means: this host does not work for anybody now."""

    def __call__(self, message: str, *, retry_after: float | None = None) -> Failure:
        """A failure of that type."""


class Peer:
    """All requests to one host go through ``call``."""

    def __init__(
        self,
        host: str,
        unavailable: UnavailableType,
        *,
        in_flight: int = IN_FLIGHT,
        failures: int = FAILURES,
        open_for: int = OPEN_FOR,
    ) -> None:
        self.host = host
        self._unavailable = unavailable
        self._slots = asyncio.Semaphore(in_flight)
        self._breaker = CircuitBreaker(failures, open_for, unavailable, name=host)

    async def call(self, make: Callable[[], Awaitable[T]]) -> T:
        """Make one request, in its turn; while the breaker is open fail at once instead.

        Only the type that means unavailable counts. Any other failure is an answer: the host works. A request that
        was cancelled says nothing about it.
        """
        self._refuse_while_open()
        async with self._slots:
            self._refuse_while_open()  # the wait for a turn may have been long
            try:
                answer = await make()
            except Exception:
                with self._breaker:
                    raise
            self._breaker.reset()
            return answer

    def _refuse_while_open(self) -> None:
        if self._breaker.opened:
            raise self._unavailable(
                f"{self.host} has failed {self._breaker.failure_count} times in a row and is not asked for a while",
                retry_after=float(self._breaker.open_remaining),
            )
