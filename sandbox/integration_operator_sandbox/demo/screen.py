"""Output of the demo: a live table on a terminal, otherwise plain lines."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True, slots=True)
class Row:
    """One object: its kind, its name, and its state in a few words."""

    kind: str
    name: str
    state: str


class Screen:
    """Prints the steps; on a terminal, with a table of the objects below them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Live | None = None
        self._rows: list[Row] = []
        self._doing = ""

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the table during the block."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self._picture(), console=self._console, refresh_per_second=8, transient=False) as self._live:
            yield
        self._live = None

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, highlight=False, soft_wrap=True, markup=False)

    def doing(self, text: str) -> None:
        """Show what the demo waits for."""
        self._doing = text
        self._refresh()

    def show(self, rows: list[Row]) -> None:
        """Show these objects in the table."""
        self._rows = rows
        self._refresh()

    def _refresh(self) -> None:
        if self._live is not None:
            self._live.update(self._picture())

    def _picture(self) -> RenderableType:
        table = Table(box=None, pad_edge=False, header_style="dim")
        table.add_column("", no_wrap=True)
        table.add_column("name", no_wrap=True)
        table.add_column("state")  # the one that is shortened if the terminal is narrow
        for row in self._rows:
            state = Text(row.state, no_wrap=True, overflow="ellipsis")
            table.add_row(Text(row.kind, style="bold"), row.name, state)
        return Group(Text(), table, Text(f"… {self._doing}" if self._doing else "", style="dim"))
