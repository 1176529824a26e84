"""Why something could not be done, as a family of types that carry their policy.

A failure is raised where the fact is known and handled in one place, the engine, which asks it only three things:
whether to try again or to wait until something changes (``stalls``), whether a user should hear of it (``quiet``),
and how long the other side asked us to wait (``retry_after``, seconds).
"""

from __future__ import annotations

from typing import ClassVar

from integration_operator.domain.text import sanitized

LONGEST_WAIT = 300.0
"""Seconds for which a server's ``Retry-After`` is honoured; as long as the longest back-off."""


class Failure(Exception):
    """Something that was decided could not be done.

    The policy of the base is: try again with back-off, and say so in a condition. ``reason`` is one CamelCase word for
    programs; ``message`` is for users and never holds a secret. It may hold text of another system: it is bounded and
    made safe to show here, for every failure.
    """

    stalls: ClassVar[bool] = False
    """The same request gets the same answer: wait until a fact changes, do not ask again."""
    longest_delay: float = 300.0
    """The longest back-off in seconds; short for what a user mends outside our sight."""
    deferred: bool = False
    """Its server is down for everyone: come back after ``retry_after`` seconds, the back-off does not grow."""
    quiet: ClassVar[bool] = False
    """Part of normal life: try again, and say nothing."""

    def __init__(self, reason: str, message: str, *, retry_after: float | None = None) -> None:
        self.reason = reason
        self.message = sanitized(message)
        super().__init__(f"{reason}: {self.message}")
        self.retry_after = retry_after


class Deferred(Failure):
    """The request was not sent: its server is known to be down, or is busy with as many requests as it may have.

    This is no failure of what was asked: it is tried again after ``retry_after`` seconds, or as soon as the server
    answers anyone, and the back-off does not grow.
    """

    deferred = True

    def __init__(self, reason: str, message: str, *, retry_after: float) -> None:
        super().__init__(reason, message, retry_after=retry_after)


def seconds_of(retry_after: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, bounded; None if it names a date, or nothing."""
    if retry_after is None or not (retry_after.isascii() and retry_after.isdigit()):
        return None
    return min(float(retry_after[:9]), LONGEST_WAIT)
