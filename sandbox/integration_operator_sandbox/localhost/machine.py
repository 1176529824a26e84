"""Ports on loopback, files that only this account can read, and directories with one owner."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from integration_operator_sandbox.errors import SandboxError

LOOPBACK = "127.0.0.1"
POLL = 0.05


def free_port() -> int:
    """Return a port on loopback that is free at this moment."""
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        return int(listener.getsockname()[1])


def port_becomes_free(port: int, within: float) -> bool:
    """Return True once a port can be used again: a process killed a moment ago may still hold it."""
    deadline = time.monotonic() + within
    while True:
        with socket.socket() as listener, suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: ignore TIME_WAIT
            listener.bind((LOOPBACK, port))
            return True
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this account can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


class DirectoryLock:
    """A lock on a directory, which is created with it. The kernel releases it when the process ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._file: IO[str] | None = None

    @property
    def held(self) -> bool:
        """True if this object holds the lock."""
        return self._file is not None

    def acquire(self, *, wait: bool) -> bool:
        """Return True if this object holds the lock now; without ``wait``, False if another one holds it."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._directory.chmod(0o700)
            file = (self._directory / "lock").open("w")
        except OSError as error:
            raise SandboxError(f"cannot use {self._directory}: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            file.close()
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Release the lock if this object holds it."""
        if self._file is not None:
            self._file.close()
            self._file = None


ABANDONED = 60.0
"""Seconds after which a temporary directory that is not locked has certainly no owner."""


@dataclass(slots=True)
class OwnedDirectory:
    """A temporary directory of this process. Created by ``create``; one that a killed process left is deleted then."""

    path: Path
    _lock: IO[str] = field(repr=False)

    @classmethod
    def create(cls, prefix: str) -> OwnedDirectory:
        """Create a directory, and delete those of this prefix that have no owner."""
        remove_abandoned(prefix, ABANDONED)
        path = Path(tempfile.mkdtemp(prefix=prefix))
        lock = (path / "lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        return cls(path, lock)

    def delete(self) -> None:
        """Delete the directory with all that is in it."""
        self._lock.close()
        shutil.rmtree(self.path, ignore_errors=True)


def remove_abandoned(prefix: str, after: float) -> None:
    """Delete temporary directories whose process was killed before it could; their lock went with it.

    A directory that is not locked may still have an owner for ``after`` seconds.
    """
    for directory in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError), (directory / "lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if time.time() - os.fstat(lock.fileno()).st_mtime > after:
                shutil.rmtree(directory, ignore_errors=True)
