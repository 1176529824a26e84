"""Progress of what takes longer than a second: one line on a terminal, which disappears when it is done."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager

DELAY = 1.0
"""Seconds after which a user wonders what happens."""
ERASE = "\r\x1b[K"


@contextmanager
def progress(what: str) -> Iterator[None]:
    """Say what the command does if it takes longer than a second, and stderr is a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    shown = False

    def show() -> None:
        nonlocal shown
        shown = True
        sys.stderr.write(f"{what} …")
        sys.stderr.flush()

    timer = asyncio.get_running_loop().call_later(DELAY, show)
    try:
        yield
    finally:
        timer.cancel()
        if shown:
            sys.stderr.write(ERASE)
            sys.stderr.flush()
