"""Token buckets: a burst, then a constant rate."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

MAX_KEYS = 10_000
"""Maximum number of keys. The least recently used key is evicted."""


class TokenBucket:
    """A bucket of ``burst`` tokens, refilled with ``rate`` tokens a second. Times are in seconds."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: int, now: float) -> None:
        self._rate = rate
        self._burst = float(max(burst, 1))
        self._tokens = self._burst
        self._at = now

    def take(self, now: float) -> float:
        """Take a token and return 0.0; if the bucket is empty, return the seconds until the next token."""
        self._refill(now)
        if self._tokens < 1:
            return (1 - self._tokens) / self._rate
        self._tokens -= 1
        return 0.0

    def reserve(self, now: float) -> float:
        """Take the next token, also a future one; return the seconds to wait before its use."""
        self._refill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


class TokenBuckets(Generic[K]):
    """A token bucket for each key.

    A tenant may change an object a hundred times a second, or delete and create it. A bucket for its key bounds the
    work for any kind of change.
    """

    def __init__(self, burst: int, rate: float, clock: Callable[[], float]) -> None:
        self._burst = burst
        self._rate = rate
        self._clock = clock
        self._buckets: dict[K, TokenBucket] = {}

    def take(self, key: K) -> float:
        """Take a token of a key and return 0.0; if there is none, return the seconds until the next token."""
        now = self._clock()
        bucket = self._buckets.pop(key, None) or TokenBucket(self._rate, self._burst, now)
        self._buckets[key] = bucket  # at the end: keys are in the order of their last use
        if len(self._buckets) > MAX_KEYS:
            del self._buckets[next(iter(self._buckets))]
        return bucket.take(now)
