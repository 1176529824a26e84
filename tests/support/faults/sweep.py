"""Invariant 6: no password, token or key in any log, Event, status or metric of a run."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from pathlib import Path

SHORTEST = 8
"""Characters; what is shorter may be a word of any text."""


def leaks(texts: Iterable[tuple[str, str]], secrets: Iterable[str]) -> Iterator[str]:
    """Say which text has a secret, in plain text or encoded; ``texts`` are pairs of a name and the text."""
    wanted = [needle for secret in secrets if len(secret) >= SHORTEST for needle in _forms(secret)]
    for name, text in texts:
        if any(needle in text for needle in wanted):
            yield f"{name} has a password or token in it"


def log_text(file: Path) -> tuple[str, str]:
    """Return the log of a run's processes."""
    return "the log", file.read_text(errors="replace") if file.exists() else ""


def document_text(name: str, document: object) -> tuple[str, str]:
    """Return a document as text."""
    return name, json.dumps(document)


def _forms(secret: str) -> tuple[str, ...]:
    """Return a secret as it may be written; in base64 without the last characters, which depend on what follows."""
    encoded = base64.b64encode(secret.encode()).decode()
    return secret, encoded.rstrip("=")[:-1], json.dumps(secret)[1:-1]
