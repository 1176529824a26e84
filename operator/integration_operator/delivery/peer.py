"""A server that the operator talks to over REST: how much at once, and when to leave it alone.

Every server has limits of its own, so that one that is slow or away costs the others nothing. After some failures in
a row nothing is asked for a while: the failures that follow are raised here, with the time to wait in them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from circuitbreaker import CircuitBreaker

from integration_operator.domain.failure import Failure

T = TypeVar("T")

IN_FLIGHT = 8
FAILURES, RECOVERY = 5, 30.0
"""Failures in a row after which a server is left alone, and for how many seconds."""


class Unreachable(Failure):
    """A server did not answer, or gave what is no answer: 5xx, HTML, half a document.

    It may have done what was asked.
    """


class Peer:
    """One server, by its name for messages."""

    def __init__(
        self, name: str, *, in_flight: int = IN_FLIGHT, failures: int = FAILURES, recovery: float = RECOVERY
    ) -> None:
        self.name = name
        self._slots = asyncio.Semaphore(in_flight)
        self._breaker = CircuitBreaker(
            failure_threshold=failures, recovery_timeout=recovery, expected_exception=Unreachable, name=name
        )

    async def call(self, request: Callable[[], Awaitable[T]]) -> T:
        """Make one request. Raises what it raises, and ``Unreachable`` without it while the server is left alone."""
        self._unless_left_alone()
        async with self._slots:
            self._unless_left_alone()  # those that waited for a slot meet what the ones before them have found
            return await self._breaker.call_async(request)  # type: ignore[no-any-return]

    def _unless_left_alone(self) -> None:
        """Refuse here what the breaker itself refuses only to functions that are decorated with it."""
        if self._breaker.opened:
            wait = max(1.0, self._breaker.open_remaining)
            message = f"{self.name} failed {self._breaker.failure_count} times in a row and is left alone for now"
            raise Unreachable("LeftAlone", message, retry_after=wait)
