"""Limits of requests over REST.

Answers are limited in size and time, because tenants control their servers. Writes need a process that leads.
"""

from __future__ import annotations

from dataclasses import dataclass

from integration_operator.runtime.fence import Fence

ANSWER_BYTES = 2 * 1024 * 1024
"""Twice a page of 100 connections, each of 1 to 3 KB with the definition of its connector, 8 KB for AMQP."""

LIST_BYTES = 16 * 1024 * 1024
"""All pages of one list: about 1,500 connections."""

ANSWER_SECONDS = 15.0
"""Syndesis answers in under a second; its own time-out for backends is 15 s."""

ERROR_BYTES = 64 * 1024
"""An answer other than 2xx. Those of Syndesis and Keycloak have some hundred bytes; a page of a proxy may have more."""

MAX_VALUES = 200_000
"""Members and items in one answer: a page of connections has 40,000. Each takes up to 100 bytes of memory."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of answers; bytes are uncompressed. Without a ``fence`` a write may be sent at any time.

    The fence does not shorten the time for an answer: a server of a tenant may take long, and the calls of a process
    that loses its Lease are cancelled.
    """

    answer_bytes: int = ANSWER_BYTES
    list_bytes: int = LIST_BYTES
    seconds: float = ANSWER_SECONDS
    fence: Fence | None = None


DEFAULT = Limits()
