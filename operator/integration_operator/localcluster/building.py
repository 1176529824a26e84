"""Build the control plane's programs once, however often that is interrupted and whoever else builds.

A build works in a directory beside its cache entry and is renamed into place when all is there, so an entry is whole or
absent. A file lock lets one process build and the others wait; it ends with its holder, so that what an interrupted
build left behind is known to be nobody's and is removed.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.status import Status

from integration_operator.localcluster import toolchain
from integration_operator.localcluster.errors import BuildFailed, LocalClusterError

PACKAGES = ("go.etcd.io/etcd/server/v3", "k8s.io/kubernetes/cmd/kube-apiserver", "k8s.io/kubernetes/cmd/kube-controller-manager")
ETCD_AS_BUILT = "server"  # Go names a program after its directory
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

    def done(self) -> bool:
        """Whether another process has built it meanwhile."""
        return all(os.access(self.entry / name, os.X_OK) for name in self.programs)


def build(plan: Plan, environ: Mapping[str, str]) -> None:
    """Fill the cache entry; return when it is whole, whoever built it."""
    progress = Progress(Console(stderr=True))
    try:
        plan.entry.parent.mkdir(parents=True, exist_ok=True)
        with _locked(plan.entry.with_name(plan.entry.name + ".lock"), progress):
            if plan.done():
                return
            _remove_leftovers(plan)
            work = Path(tempfile.mkdtemp(prefix=_prefix(plan), dir=plan.entry.parent))
            try:
                _compile(plan, work, environ, progress)
                shutil.rmtree(plan.entry, ignore_errors=True)
                work.chmod(0o755)
                work.rename(plan.entry)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    except OSError as error:
        raise LocalClusterError(f"cannot keep the control plane's programs in {plan.entry.parent}: {error}") from error


class Progress:
    """What a person sees of a build that takes minutes: a spinner on a terminal, else a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None
        self._began = time.monotonic()
        self._next = 0.0

    @contextmanager
    def shown(self, title: str) -> Iterator[None]:
        """Say what begins, and keep the spinner turning until it is over."""
        self._began = time.monotonic()
        self._next = self._began + QUIET_PERIOD
        if self._console.is_terminal:
            with self._console.status(title) as self._status:
                yield
            self._status = None
        else:
            self.say(title)
            yield

    def say(self, text: str) -> None:
        """A line that stays."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)

    def update(self, text: str) -> None:
        """How far it is, with the time that has passed."""
        now = time.monotonic()
        minutes, seconds = divmod(int(now - self._began), 60)
        line = f"{text} ({minutes}:{seconds:02d})"
        if self._status is not None:
            self._status.update(line)
        elif now >= self._next:
            self._next = now + QUIET_PERIOD
            self.say(line)


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[None]:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress.say("Another process builds the control plane; waiting for it.")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prefix(plan: Plan) -> str:
    return f"{plan.entry.name}.building-"


def _remove_leftovers(plan: Plan) -> None:
    for leftover in plan.entry.parent.glob(f"{_prefix(plan)}*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _compile(plan: Plan, work: Path, environ: Mapping[str, str], progress: Progress) -> None:
    major, minor, *_ = plan.version.removeprefix("v").split(".")
    stamp = "k8s.io/component-base/version.git"
    flags = f"-s -w -X {stamp}Version={plan.version} -X {stamp}Major={major} -X {stamp}Minor={minor}"
    command = [str(plan.go), "build", "-C", str(plan.module), "-v", "-trimpath", f"-ldflags={flags}", "-o", f"{work}/"]
    title = f"Building the control plane (Kubernetes {plan.version}) once, with {plan.go}: this takes minutes."
    with progress.shown(title):
        code, last = _follow([*command, *PACKAGES], toolchain.environment(environ), progress)
    if code != 0:
        shown = "\n".join(last) or "(go said nothing)"
        raise BuildFailed(f"go could not build the control plane, exit code {code}:\n{shown}")
    if (work / ETCD_AS_BUILT).exists():
        (work / ETCD_AS_BUILT).rename(work / "etcd")
    if missing := [name for name in plan.programs if not (work / name).exists()]:
        raise BuildFailed(f"go ended without an error but did not build {' and '.join(missing)}")
    progress.say("The control plane is built.")


def _follow(command: list[str], environment: dict[str, str], progress: Progress) -> tuple[int, list[str]]:
    """Run go and turn its lines into progress; its exit code and its last lines.

    It gets a session of its own: Ctrl-C reaches us, and we end go with all the compilers it has started.
    """
    child = subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert child.stderr is not None
    try:
        return_lines = _read(child.stderr, progress)
        return child.wait(), return_lines
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    finally:
        child.stderr.close()


def _read(lines: IO[str], progress: Progress) -> list[str]:
    last: deque[str] = deque(maxlen=SHOWN_LINES)
    downloads = packages = 0
    for line in map(str.rstrip, lines):
        if line.startswith("go: downloading "):
            downloads += 1
            progress.update(f"Modules downloaded: {downloads}; now {line.removeprefix('go: downloading ')}")
        elif line and " " not in line and not line.startswith("#"):  # -v names each package as it is compiled
            packages += 1
            progress.update(f"Packages compiled: {packages}; now {line}")
        elif line:
            last.append(line)
    return list(last)
