"""How much of an answer over REST is read, and how long it may take: a tenant controls what its server says."""

from __future__ import annotations

from dataclasses import dataclass

ANSWER_BYTES = 2 * 1024 * 1024
"""Twice a page of 100 connections, each with its connector's definition, 8 KB for AMQP, and 1 to 3 KB of its own."""

LIST_BYTES = 16 * 1024 * 1024
"""All pages of one list together: about 1,500 connections."""

ANSWER_SECONDS = 15.0
"""Syndesis answers in under a second; it gives its own backends 15."""

ERROR_BYTES = 64 * 1024
"""Of an answer other than 2xx. Syndesis's and Keycloak's have some hundred bytes; a proxy's page may have more."""

MAX_VALUES = 200_000
"""Members and items in one answer: a page of connections has 40,000. Parsed, each takes up to 100 bytes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of answers; bytes are those of text, unpacked."""

    answer_bytes: int = ANSWER_BYTES
    list_bytes: int = LIST_BYTES
    seconds: float = ANSWER_SECONDS


DEFAULT = Limits()
