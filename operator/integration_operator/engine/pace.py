"""How often something may be done for one key: at once for a while, then at a steady pace.

A tenant may change an object a hundred times a second, or delete and create it. The work that this makes is bounded
here by time and not by what changed, and nothing is lost by it: what is done is always about the last state.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

MOST_KEYS = 10_000
"""Keys that are remembered; of more than that the ones that were used longest ago are forgotten."""


class Pace(Generic[K]):
    """A bucket of tokens for each key: ``burst`` at first, then ``per_second``."""

    def __init__(self, burst: int, per_second: float, clock: Callable[[], float]) -> None:
        self._burst = float(burst)
        self._per_second = per_second
        self._clock = clock
        self._tokens: dict[K, tuple[float, float]] = {}

    def wait(self, key: K) -> float:
        """Return the seconds until something may be done for the key; 0.0 counts as done now."""
        now = self._clock()
        tokens, at = self._tokens.pop(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._per_second)
        allowed = tokens >= 1
        self._tokens[key] = (tokens - 1 if allowed else tokens, now)
        if len(self._tokens) > MOST_KEYS:
            del self._tokens[next(iter(self._tokens))]
        return 0.0 if allowed else (1 - tokens) / self._per_second
