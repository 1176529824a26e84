"""An answer with its reason: every decision gives one, and every command that explains prints it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """Yes or no, a stable CamelCase reason for programs, and a message for people."""

    allowed: bool
    reason: str
    message: str = ""

    @classmethod
    def allow(cls, reason: str, message: str = "") -> Verdict:
        """Answer yes."""
        return cls(True, reason, message)

    @classmethod
    def deny(cls, reason: str, message: str) -> Verdict:
        """Answer no; the message says what a person would have to change."""
        return cls(False, reason, message)

    def __bool__(self) -> bool:
        return self.allowed
