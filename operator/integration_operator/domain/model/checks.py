"""The result of a check: whether it passes, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """A result with a stable CamelCase reason for programs and a message for users. It is true if it passed.

    The message of a check that failed says what a user has to change.
    """

    passed: bool
    reason: str
    message: str = ""

    @classmethod
    def success(cls, reason: str, message: str = "") -> Check:
        """Return the result of a check that passed."""
        return cls(True, reason, message)

    @classmethod
    def failure(cls, reason: str, message: str) -> Check:
        """Return the result of a check that failed."""
        return cls(False, reason, message)

    def __bool__(self) -> bool:
        return self.passed
