"""Tables as kubectl prints them: columns padded with spaces, no lines, whole values.

On a terminal the last column, which is text, is cut at its width, so that a row stays a row. Output that is piped is
never cut: a program reads it.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence

from integration_operator.cli.output import echo
from integration_operator.runtime.text import CUT, sanitized

GAP = "   "
SHORTEST = 20
"""Characters to which a text is cut at most: a shorter one says nothing, and wraps instead."""
NONE = "<none>"
"""What a cell shows that has no value, as in kubectl."""


class Table:
    """A table with a header. Rows that are printed later keep the widths of the first ones."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = tuple(columns)
        self._widths = [len(column) for column in columns]
        self._began = False

    def show(self, rows: Iterable[Sequence[object]]) -> None:
        """Print rows, after the header if they are the first ones."""
        cells = [[sanitized(cell) or NONE for cell in row] for row in rows]
        if not self._began:
            cells.insert(0, list(self._columns))
            self._began = True
        for row in cells:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, row, strict=True)]
        limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        for row in cells:
            line = GAP.join(cell.ljust(width) for cell, width in zip(row, self._widths, strict=True)).rstrip()
            echo(_cut(line, len(line) - len(row[-1]), limit) + "\n")


def _cut(line: str, last: int, limit: int | None) -> str:
    """Return a line of at most ``limit`` characters if its last column, from ``last`` on, can be shortened to that."""
    if limit is None or len(line) <= limit or last + SHORTEST > limit:
        return line
    return line[: limit - len(CUT)].rstrip() + CUT
