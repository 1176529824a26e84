"""Parts of Markdown pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Generated from {source}: make reference -->\n"
"""The line below the title of a page, for those who would edit it."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; an empty cell has one space."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"|{'|'.join(f' {cell(text)} ' if text else ' ' for text in line)}|\n" for line in lines)


def cell(text: str) -> str:
    """Return a text on one line, without what ends a cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: object) -> str:
    """Return a text as code."""
    return f"`{text}`"


def codes(texts: Iterable[object]) -> str:
    """Return texts as code, separated by commas."""
    return ", ".join(map(code, texts))
