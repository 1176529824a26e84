"""Ages by the clock of this machine, as kubectl computes them."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time on this machine."""
    return datetime.now(UTC)
