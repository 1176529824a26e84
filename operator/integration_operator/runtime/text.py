"""Text from other systems, made safe to show: bounded, on one line, without control characters.

A status, a message or an annotation that a tenant wrote reaches conditions, Events, logs and terminals. Unbounded it
makes the API server refuse the write of the whole status; with escape sequences it rewrites a terminal.
"""

from __future__ import annotations

MAX_FOREIGN_TEXT = 1024
"""Bytes of one foreign text in a condition. core/v1 validation refuses a longer message of an Event; a condition may
hold 32,768 (metav1.Condition), and holds several of them."""

CUT = "…"


def sanitized(text: object, limit: int = MAX_FOREIGN_TEXT) -> str:
    """Return foreign text as one line of at most ``limit`` bytes of UTF-8, without control characters.

    A run of white space becomes one space, any other control character U+FFFD. A text that is cut ends with ``…``.
    """
    raw = str(text)
    clipped = raw[: limit + 1]  # a character is at least one byte, so nothing behind this can be shown
    shown = " ".join("".join(map(_shown, clipped)).split())
    if len(raw) == len(clipped) and len(shown.encode()) <= limit:
        return shown
    return shown.encode()[: limit - len(CUT.encode())].decode(errors="ignore").rstrip() + CUT


def _shown(character: str) -> str:
    if character.isspace():
        return " "
    return character if character.isprintable() else "\ufffd"
