"""Namespaces that an annotation names: exact names, and patterns in which ``*`` matches any characters.

A tenant writes them, and every pair is matched against them: their number and length are bounded, and matching is
linear in the length of the name for every pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MOST_PATTERNS = 64
"""Names and patterns of one annotation. A pattern costs about a microsecond for each namespace that is matched. Exact
names cost nothing, but count too: a pattern is the better way to write more of them."""

LONGEST_PATTERN = 63
"""Characters of a pattern: the name of a namespace is a DNS label (RFC 1123)."""

_USABLE = re.compile(rf"[a-z0-9*-]{{1,{LONGEST_PATTERN}}}")

LONGEST_TEXT = MOST_PATTERNS * (LONGEST_PATTERN + 2)
"""Characters of the annotation that are read: all patterns, each with a comma and a space."""


@dataclass(frozen=True, slots=True)
class NamespacePatterns:
    """The names and patterns of one annotation. ``ignored`` counts those that are invalid or too many."""

    names: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    ignored: int = 0

    @classmethod
    def parse(cls, text: str) -> NamespacePatterns:
        """Parse names and patterns that are separated by commas."""
        parts = [part.strip() for part in text[:LONGEST_TEXT].split(",")]
        written = [part for part in parts if part]
        usable = list(dict.fromkeys(part for part in written if _USABLE.fullmatch(part)))
        limited = usable[:MOST_PATTERNS]
        exact = frozenset(part for part in limited if "*" not in part)
        beyond = text[LONGEST_TEXT:].count(",") + (len(text) > LONGEST_TEXT)
        return cls(exact, tuple(part for part in limited if "*" in part), len(set(written)) - len(limited) + beyond)

    def __bool__(self) -> bool:
        return bool(self.names or self.patterns)

    def __str__(self) -> str:
        return ",".join((*sorted(self.names), *self.patterns))

    def match(self, namespace: str) -> str | None:
        """Return the name or pattern that matches a namespace, None if there is none."""
        if namespace in self.names:
            return namespace
        return next((pattern for pattern in self.patterns if _matches(pattern, namespace)), None)

    def among(self, namespaces: Iterable[str]) -> Iterator[str]:
        """Yield the namespaces that match."""
        return (namespace for namespace in namespaces if self.match(namespace))


def _matches(pattern: str, name: str) -> bool:
    """Match piece by piece: each piece between two ``*`` is searched once, after the end of the last one."""
    first, *middle, last = pattern.split("*")
    if not name.startswith(first) or len(name) < len(first) + len(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        position = name.find(piece, at, end)
        if position < 0:
            return False
        at = position + len(piece)
    return name.endswith(last)
