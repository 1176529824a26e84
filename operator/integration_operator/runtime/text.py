"""Text from other systems, made safe to print: bounded, on one line, without control characters.

Text that a tenant wrote reaches conditions, Events, logs and terminals. If it is too long, the API server refuses the
whole status; escape sequences would control a terminal.
"""

from __future__ import annotations

MAX_FOREIGN_TEXT = 1024
"""Bytes of one foreign text in a condition. core/v1 validation refuses a longer message of an Event. A condition may
have 32,768 (metav1.Condition) and contains several foreign texts."""

CUT = "…"


def sanitized(text: object, limit: int = MAX_FOREIGN_TEXT) -> str:
    """Return foreign text as one line of at most ``limit`` bytes of UTF-8, without control characters.

    White space becomes one space, any other control character U+FFFD. A truncated text ends with ``…``.
    """
    raw = str(text)
    clipped = raw[: limit + 1]  # a character is at least one byte, so the rest does not fit
    line = " ".join("".join(map(_printable, clipped)).split())
    if len(raw) == len(clipped) and len(line.encode()) <= limit:
        return line
    return line.encode()[: limit - len(CUT.encode())].decode(errors="ignore").rstrip() + CUT


def _printable(character: str) -> str:
    if character.isspace():
        return " "
    return character if character.isprintable() else "\ufffd"
