"""Progress of work that takes minutes: a bar on a terminal, otherwise a line now and then."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

QUIET_PERIOD = 20.0  # seconds between two lines without a terminal: a log shows that work goes on, and stays short
FIRST_ESTIMATE = 0.05  # share that must be done before the time left is estimated


class Progress:
    """Shows how far a task is. ``update`` is cheap to call often."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task: TaskID | None = None
        self._began = self._said = time.monotonic()

    @contextmanager
    def shown(self, title: str) -> Iterator[None]:
        """Print a title and show the progress of the block."""
        self.say(title)
        self._began = self._said = time.monotonic()
        if not self._console.is_terminal:
            yield
            return
        with self._bar:
            self._task = self._bar.add_task("Starting", total=None)
            yield

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def update(self, text: str, done: int = 0, total: int | None = None) -> None:
        """Show what is going on; with a total, also the share that is done."""
        now = time.monotonic()
        if self._task is not None:
            self._bar.update(self._task, description=text, completed=done, total=total)
        elif now - self._said >= QUIET_PERIOD:
            self._said = now
            minutes, seconds = divmod(int(now - self._began), 60)
            self.say(f"{text} ({minutes}:{seconds:02d})")


def time_left(elapsed: float, done: int, total: int) -> str:
    """Return an estimate in words, on the assumption that every part takes equally long; empty if it is too early."""
    if not total or done < total * FIRST_ESTIMATE or done >= total:
        return ""
    minutes = elapsed * (total - done) / done / 60
    return "less than a minute left" if minutes < 1 else f"about {minutes:.0f} min left"
