"""Processes that outlive a Python object, and processes that must not outlive this one.

A process is named by its pid *and* the time it started, so that a pid found in an old file is never mistaken for a
stranger's process that got the same number later.
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

from integration_operator_sandbox import tether

POLL = 0.02
KEPT_ENVIRONMENT = ("PATH", "HOME", "TMPDIR", "TZ")
"""etcd takes every option from ``ETCD_…`` variables too; what a person has set for another etcd must not reach ours."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One process of this machine, for ever: ``started`` is in clock ticks after the boot that ``boot`` names."""

    pid: int
    started: int
    boot: str

    def runs(self) -> bool:
        """Whether it is still there. One that has ended and waits for its parent to ask is not."""
        return self == identity(self.pid)


def identity(pid: int) -> Identity | None:
    """The process that has this pid now; None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat[stat.rindex(")") + 2 :].split()  # the program's name comes before, and may hold anything
    state, started = fields[0], int(fields[19])
    return None if state in "ZX" else Identity(pid, started, _boot())


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(slots=True)
class Process:
    """A process that we started, or found again by its identity."""

    identity: Identity
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def runs(self) -> bool:
        """Whether it has not ended."""
        if self._child is not None:
            return self._child.poll() is None
        return self.identity.runs()

    def ending(self) -> str:
        """How it ended, in words; only the one that started it is told."""
        code = self._child.poll() if self._child is not None else None
        if code is None:
            return "has ended"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"has ended with exit code {code}"

    def stop(self, patience: float) -> None:
        """Ask it to end, and make it end once ``patience`` seconds are over."""
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


def tethered(program: Sequence[str]) -> list[str]:
    """The command for a program that the kernel kills when the thread that starts it ends, or all of this process."""
    return [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), *program]


def spawn(program: Sequence[str], *, log: Path, directory: Path, detached: bool) -> Process:
    """Start a program in a session of its own, so that Ctrl-C in a terminal reaches only us.

    What it says is appended to ``log``. Unless ``detached``, it is killed when this process ends in any way.
    """
    if not detached:
        program = tethered(program)

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
    """One thread that starts all children and lives as long as this process.

    A tethered child dies with the *thread* that forked it, which may be a worker thread that ends at once.
    """

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[tuple[Callable[[], subprocess.Popen[bytes]], Future[subprocess.Popen[bytes]]]]
        self._jobs = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def run(self, start: Callable[[], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():  # the first time, and in a forked copy of us
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
