"""Build the control plane's programs once, however often that is interrupted and whoever else builds.

A build works in a directory beside its cache entry and is renamed into place when all is there, so an entry is whole or
absent. A file lock lets one process build and the others wait; it ends with its holder, so what an interrupted build
left behind is known to be nobody's and is removed.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import Progress as Bar
from rich.progress import SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from integration_operator_sandbox import toolchain
from integration_operator_sandbox.errors import BuildFailed, LocalClusterError
from integration_operator_sandbox.process import tethered

PACKAGES = (
    "go.etcd.io/etcd/server/v3",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
)
NAMES = {"server": "etcd"}
"""Go names a program after the directory of its package."""

QUIET_PERIOD = 20.0  # seconds between two lines where there is no terminal: a log must show life, not scroll
SHOWN_LINES = 15  # of go's output, when it fails


@dataclass(frozen=True, slots=True)
class Plan:
    """What to build, from where to where."""

    entry: Path
    go: Path
    module: Path
    version: str
    programs: Sequence[str]

    @property
    def leftovers(self) -> str:
        """How the directories of unfinished builds of this entry begin."""
        return f"{self.entry.name}.building-"

    def missing(self, directory: Path) -> list[str]:
        """The programs that a directory does not hold."""
        return [name for name in self.programs if not os.access(directory / name, os.X_OK)]


def build(plan: Plan, environ: Mapping[str, str], console: Console | None = None) -> None:
    """Fill the cache entry; return when it is whole, whoever built it."""
    progress = Progress(console or Console(stderr=True))
    root = plan.entry.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = root.joinpath(f"{plan.entry.name}.lock").open("a")
    except OSError as error:
        raise LocalClusterError(f"cannot keep the control plane's programs in {root}: {error.strerror}") from error
    with lock:
        _wait_for(lock, progress)
        if not plan.missing(plan.entry):
            return
        for leftover in root.glob(f"{plan.leftovers}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=plan.leftovers, dir=root))
        try:
            _compile(plan, work, environ, progress)
            shutil.rmtree(plan.entry, ignore_errors=True)  # an entry that somebody has damaged
            work.chmod(0o755)
            work.rename(plan.entry)
        finally:
            shutil.rmtree(work, ignore_errors=True)


class Progress:
    """What a person sees of a build that takes minutes: a spinner on a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Bar(
            SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console, transient=True
        )
        self._task: TaskID | None = None
        self._began = self._said = time.monotonic()

    @contextmanager
    def shown(self, title: str) -> Iterator[None]:
        """Say what begins; on a terminal keep a spinner and the time beside it until it is over."""
        self.say(title)
        self._began = self._said = time.monotonic()
        if not self._console.is_terminal:
            yield
            return
        with self._bar:
            self._task = self._bar.add_task("Compiling and linking", total=None)
            yield

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def update(self, text: str) -> None:
        """How far it is; cheap to call often."""
        now = time.monotonic()
        if self._task is not None:
            self._bar.update(self._task, description=text)
        elif now - self._said >= QUIET_PERIOD:
            self._said = now
            minutes, seconds = divmod(int(now - self._began), 60)
            self.say(f"{text} ({minutes}:{seconds:02d})")


def _wait_for(lock: IO[str], progress: Progress) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        progress.say("Another process builds the control plane; waiting for it.")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _compile(plan: Plan, work: Path, environ: Mapping[str, str], progress: Progress) -> None:
    major, minor, *_ = plan.version.removeprefix("v").split(".")
    stamp = "k8s.io/component-base/version.git"
    flags = f"-s -w -X {stamp}Version={plan.version} -X {stamp}Major={major} -X {stamp}Minor={minor}"
    command = [str(plan.go), "build", "-C", str(plan.module), "-v", "-trimpath", f"-ldflags={flags}", "-o", f"{work}/"]
    title = f"Building etcd and Kubernetes {plan.version} with {plan.go}; this takes minutes, once."
    with progress.shown(title):
        code, last = _follow([*command, *PACKAGES], toolchain.environment(environ), progress)
    if code != 0:
        raise BuildFailed(f"go could not build the control plane: exit code {code}", "\n".join(last))
    for built, name in NAMES.items():
        if (work / built).exists():
            (work / built).rename(work / name)
    if missing := plan.missing(work):
        raise BuildFailed(f"go reported no error and did not build {' and '.join(missing)}", "\n".join(last))
    progress.say(f"Built; kept in {plan.entry}.")


def _follow(command: list[str], environment: dict[str, str], progress: Progress) -> tuple[int, list[str]]:
    """Run go and show what it does; its exit code and its last lines.

    It gets a session of its own: Ctrl-C reaches us, and we end go with all the compilers that it has started. Where we
    are killed ourselves, go is too.
    """
    child = subprocess.Popen(
        tethered(command),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stderr is not None
    output = Output()
    try:
        for line in _lines(child.stderr):
            output.read(line)
            progress.update(output.summary())
        return child.wait(), list(output.last)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    finally:
        child.stderr.close()


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """The lines of a stream, and an empty one each second in which nothing comes: the linker says nothing at all."""
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while True:
            if not selector.select(timeout=1.0):
                yield ""
                continue
            chunk = os.read(stream.fileno(), 65536)
            *whole, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace").rstrip() for line in whole)
            if not chunk:
                yield rest.decode(errors="replace")
                return


@dataclass(slots=True)
class Output:
    """What ``go build -v`` has said so far."""

    downloads: int = 0
    packages: int = 0
    latest: str = ""
    last: deque[str] = field(default_factory=lambda: deque(maxlen=SHOWN_LINES))

    def read(self, line: str) -> None:
        """Count a line; keep it where it is neither a download nor the name of a package, which is to be an error."""
        if line.startswith("go: downloading "):
            self.downloads += 1
            self.latest = line.removeprefix("go: downloading ")
        elif line and " " not in line and not line.startswith("#"):  # -v names each package as it is compiled
            self.packages += 1
            self.latest = line
        elif line:
            self.last.append(line)

    def summary(self) -> str:
        """One line for a person."""
        if self.packages:
            return f"{self.packages} packages compiled, now {self.latest}"
        if self.downloads:
            return f"{self.downloads} modules downloaded, now {self.latest}"
        return "Compiling and linking"
