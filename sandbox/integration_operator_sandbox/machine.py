"""What the servers that are started here need of this machine: ports on loopback, files that nobody else reads."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
import time
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def write_private(path: Path, text: str) -> None:
    """Write a file that is this account's only."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def remove_abandoned(prefix: str, after: float) -> None:
    """Remove temporary directories whose process was killed before it could; their lock went with it.

    ``after`` are the seconds for which a directory that nobody has locked may still be somebody's.
    """
    for directory in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError), (directory / "lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - os.fstat(lock.fileno()).st_mtime > after:
                shutil.rmtree(directory, ignore_errors=True)
