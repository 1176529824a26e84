"""A clock that a test sets."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass
class Clock:
    """Takes the place of ``time.monotonic``; ``now`` is in seconds."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def breaker_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock that all circuit breakers read."""
    clock = Clock(now=1000.0)
    monkeypatch.setattr("circuitbreaker.monotonic", clock)
    return clock
