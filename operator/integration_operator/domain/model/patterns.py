"""Namespaces that an annotation names: exact names, and patterns in which ``*`` stands for any characters.

A tenant writes them, and they are asked for every pair: their number and length are bounded, and matching is linear in
the length of the name, whatever the pattern is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MOST_PATTERNS = 64
"""Patterns of one annotation; each costs about a microsecond for each namespace that it is compared with. Exact names
cost nothing, but count too: beside this many a pattern is the better way to say it."""

LONGEST_PATTERN = 63
"""Characters: a namespace's name is a DNS label (RFC 1123)."""

_USABLE = re.compile(rf"[a-z0-9*-]{{1,{LONGEST_PATTERN}}}")

LONGEST_TEXT = MOST_PATTERNS * (LONGEST_PATTERN + 2)
"""Characters of the annotation that are read: all patterns, with a comma and a space behind each."""


@dataclass(frozen=True, slots=True)
class NamespacePatterns:
    """The names and patterns of one annotation. ``ignored`` counts those that cannot be used or are too many."""

    names: frozenset[str] = frozenset()
    patterns: tuple[str, ...] = ()
    ignored: int = 0

    @classmethod
    def parse(cls, text: str) -> NamespacePatterns:
        """Read names and patterns between commas."""
        parts = [part.strip() for part in text[:LONGEST_TEXT].split(",")]
        written = [part for part in parts if part]
        usable = list(dict.fromkeys(part for part in written if _USABLE.fullmatch(part)))
        kept = usable[:MOST_PATTERNS]
        exact = frozenset(part for part in kept if "*" not in part)
        beyond = text[LONGEST_TEXT:].count(",") + (len(text) > LONGEST_TEXT)
        return cls(exact, tuple(part for part in kept if "*" in part), len(set(written)) - len(kept) + beyond)

    def __bool__(self) -> bool:
        return bool(self.names or self.patterns)

    def __str__(self) -> str:
        return ",".join((*sorted(self.names), *self.patterns))

    def match(self, namespace: str) -> str | None:
        """Return the name or pattern that a namespace matches, None if there is none."""
        if namespace in self.names:
            return namespace
        return next((pattern for pattern in self.patterns if _matches(pattern, namespace)), None)

    def among(self, namespaces: Iterable[str]) -> Iterator[str]:
        """Yield those of the namespaces that match."""
        return (namespace for namespace in namespaces if self.match(namespace))


def _matches(pattern: str, name: str) -> bool:
    """Compare piece by piece: each piece between two ``*`` is looked for once, from where the last one ended."""
    first, *middle, last = pattern.split("*")
    if not name.startswith(first) or len(name) < len(first) + len(last):
        return False
    at, end = len(first), len(name) - len(last)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return name.endswith(last)
