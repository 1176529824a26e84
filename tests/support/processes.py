"""Processes of a directory, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psutil


def processes_in(directory: Path) -> list[psutil.Process]:
    """Return the processes whose working directory this is."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(directory) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def running(process: psutil.Process, text: str) -> bool:
    """Return True if a process has a text in its command line; one that ended has none."""
    try:
        return text in " ".join(process.cmdline())
    except psutil.Error:
        return False


def child_with(text: str) -> psutil.Process:
    """Return the child of this process that has a text in its command line. Others may have ended just now."""
    (child,) = [child for child in psutil.Process().children() if running(child, text)]
    return child


def wait_until(what: str, true: Callable[[], object], within: float = 10.0) -> None:
    """Poll until a check is true; fail after ``within`` seconds."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(0.02)
