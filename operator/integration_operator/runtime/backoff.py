"""How long to wait before something that failed is tried again: doubling, bounded, with jitter."""

from __future__ import annotations

FIRST_DELAY, MAX_DELAY = 0.1, 300.0
"""Seconds; client-go's work queue begins at 5 ms, but there the first failure is mostly a conflict with oneself."""


def backoff(failures: int, jitter: float, longest: float = MAX_DELAY) -> float:
    """Return the seconds to wait after so many failures before; ``jitter`` from 0 to 1 spreads them over half of it."""
    delay: float = min(longest, FIRST_DELAY * 2 ** min(failures, 20))
    return delay * (0.5 + jitter / 2)
