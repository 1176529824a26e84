"""Exponential back-off with jitter."""

from __future__ import annotations

FIRST_DELAY, MAX_DELAY = 0.1, 300.0
"""Seconds. client-go's work queue starts at 5 ms, because its first failure is mostly a conflict with itself."""


def backoff(failures: int, jitter: float, max_delay: float = MAX_DELAY) -> float:
    """Return the delay in seconds after ``failures`` failures; ``jitter`` (0 to 1) adds up to half of it."""
    delay: float = min(max_delay, FIRST_DELAY * 2 ** min(failures, 20))
    return delay * (0.5 + jitter / 2)
