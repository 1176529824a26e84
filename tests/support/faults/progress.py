"""The progress of a campaign on a terminal, or as a line now and then where there is none."""

from __future__ import annotations

import sys
import time
from collections import deque
from dataclasses import dataclass, field

from tests.support.faults.journal import Entry

WINDOW = 100
"""Runs that the estimate is made of."""
PERIOD = 30.0
"""Seconds between two lines where there is no terminal."""


@dataclass
class Progress:
    """Shows how many runs are done, how many violated something, and how long the rest will take."""

    violated: int = 0
    unreached: int = 0
    _ended: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _shown: float = 0.0

    def show(self, done: int, total: int, entry: Entry) -> None:
        """Show the state after a run."""
        now = time.monotonic()
        self._ended.append(now)
        self.violated += entry.result == "violated"
        self.unreached += entry.result == "unreached"
        terminal = sys.stderr.isatty()
        if entry.result == "violated":
            lines = "\n  ".join(entry.problems)
            print(f"{chr(13) if terminal else ''}VIOLATED {entry.spec.key}\n  {lines}", file=sys.stderr, flush=True)
        if not terminal and now - self._shown < PERIOD and done < total:
            return
        self._shown = now
        text = f"{done}/{total} runs, {self.violated} violated, {self.unreached} unreached, {self._left(total - done)}"
        print(f"\r{text}\033[K" if terminal else text, end="" if terminal else "\n", file=sys.stderr, flush=True)

    def _left(self, runs: int) -> str:
        """Return an estimate of the time that some runs will take."""
        if len(self._ended) < 2 or not runs:
            return f"{runs} to go"
        seconds = runs * (self._ended[-1] - self._ended[0]) / (len(self._ended) - 1)
        return f"{int(seconds // 60)} min {int(seconds % 60)} s left"
