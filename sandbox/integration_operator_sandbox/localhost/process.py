"""Start processes that die with this one, or that outlive it and can be found again.

A process is identified by its pid *and* its start time, so that a pid read from an old file never stands for a foreign
process that got the same number later.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from integration_operator_sandbox.localhost import parent_death_signal

POLL = 0.02
KEPT_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "TZ")
"""etcd reads options from ``ETCD_…`` variables, too; those that the user has set for another etcd must not apply."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A process of this machine. ``started`` is in clock ticks after the boot ``boot``."""

    pid: int
    started: int
    boot: str

    def runs(self) -> bool:
        """Return True if the process has not ended. A zombie has ended."""
        return self == identity(self.pid)


def identity(pid: int) -> Identity | None:
    """Return the process that has this pid now; None if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the name of the program comes before, and may contain spaces
    state, started = fields[0], int(fields[19])
    return None if state in "ZX" else Identity(pid, started, _boot())


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(slots=True)
class Process:
    """A process that was started here, or found again by its identity."""

    identity: Identity
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def runs(self) -> bool:
        """Return True if it has not ended."""
        if self._child is not None:
            return self._child.poll() is None
        return self.identity.runs()

    def ending(self) -> str:
        """Return how it ended, in words. Only its parent knows the exit code."""
        code = self._child.poll() if self._child is not None else None
        if code is None:
            return "has ended"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"has ended with exit code {code}"

    def stop(self, patience: float) -> None:
        """Send SIGTERM, and SIGKILL if it still runs after ``patience`` seconds."""
        self._signal(signal.SIGTERM)
        if not self._gone_within(patience):
            self._signal(signal.SIGKILL)
            self._gone_within(patience)

    def _signal(self, number: signal.Signals) -> None:
        if self.runs():
            try:
                os.kill(self.identity.pid, number)
            except ProcessLookupError:
                return

    def _gone_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.runs():
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL)
        return True


def dying_with_parent(program: Sequence[str]) -> list[str]:
    """Return a command for a program that the kernel kills when the thread that starts it ends."""
    return [sys.executable, "-I", "-S", parent_death_signal.__file__, str(os.getpid()), *program]


def spawn(program: Sequence[str], *, log: Path, directory: Path, detached: bool) -> Process:
    """Start a program in a session of its own, so that Ctrl-C in a terminal does not reach it.

    Its output is appended to ``log``. Unless ``detached``, it is killed when this process ends, for any reason.
    """
    if not detached:
        program = dying_with_parent(program)

    def start() -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                program,
                cwd=directory,
                env={name: os.environ[name] for name in KEPT_ENVIRONMENT if name in os.environ},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    child = _SPAWNER.run(start)
    return Process(identity(child.pid) or Identity(child.pid, 0, ""), child)


class _Spawner:
    """A thread that starts all child processes and lives as long as this process.

    The parent-death signal comes when the *thread* that forked ends, and a worker thread may end at once.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._jobs = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # the first time, and in a fork of this process
                self._thread = threading.Thread(target=self._work, name="spawner", daemon=True)
                self._thread.start()
        done: Future[subprocess.Popen[bytes]] = Future()
        self._jobs.put((start, done))
        return done.result()

    def _work(self) -> None:
        while True:
            start, done = self._jobs.get()
            try:
                done.set_result(start())
            except BaseException as error:  # the caller's thread raises it
                done.set_exception(error)


_SPAWNER = _Spawner()
