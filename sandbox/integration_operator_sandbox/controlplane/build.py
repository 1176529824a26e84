"""Build the control plane's programs once, even if builds are interrupted or run at the same time.

A build works in a directory beside its cache entry and renames it into place when it is complete, so an entry is
complete or absent. A file lock lets one process build while others wait. The kernel drops the lock with its holder, so
what an interrupted build left behind has no owner and is deleted.
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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rich.console import Console

from integration_operator_sandbox.controlplane import toolchain
from integration_operator_sandbox.errors import BuildFailed, SandboxError
from integration_operator_sandbox.localhost.process import dying_with_parent
from integration_operator_sandbox.progress import Progress, time_left

PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "controller-manager": "./controllermanager",
}
"""The Go package of each program."""

SHOWN_LINES = 15  # of Go's output if it fails


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
        """Prefix of the directories of unfinished builds of this entry."""
        return f"{self.entry.name}.building-"

    @property
    def packages(self) -> list[str]:
        """The Go packages to build."""
        return [PACKAGES[name] for name in self.programs]

    def missing(self, directory: Path) -> list[str]:
        """Return the programs that a directory does not have."""
        return [name for name in self.programs if not os.access(directory / name, os.X_OK)]


def build(plan: Plan, environ: Mapping[str, str], console: Console | None = None) -> None:
    """Fill the cache entry. Return when it is complete, whichever process built it."""
    progress = Progress(console or Console(stderr=True))
    root = plan.entry.parent
    try:
        root.mkdir(parents=True, exist_ok=True)
        lock = root.joinpath(f"{plan.entry.name}.lock").open("a")
    except OSError as error:
        raise SandboxError(f"cannot keep the control plane's programs in {root}: {error.strerror}") from error
    with lock:
        _wait_for(lock, progress)
        if not plan.missing(plan.entry):
            return
        for leftover in root.glob(f"{plan.leftovers}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=plan.leftovers, dir=root))
        try:
            _compile(plan, work, environ, progress)
            shutil.rmtree(plan.entry, ignore_errors=True)  # a damaged entry
            work.chmod(0o755)
            work.rename(plan.entry)
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _wait_for(lock: IO[str], progress: Progress) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        progress.say("Another process builds the control plane; waiting for it.")
        fcntl.flock(lock, fcntl.LOCK_EX)


def _compile(plan: Plan, work: Path, environ: Mapping[str, str], progress: Progress) -> None:
    """Count the packages to compile, which downloads their modules, then compile and link them into ``work``."""
    major, minor, *_ = plan.version.removeprefix("v").split(".")
    stamp = "k8s.io/component-base/version.git"
    flags = f"-s -w -X {stamp}Version={plan.version} -X {stamp}Major={major} -X {stamp}Minor={minor}"
    options = ["-C", str(plan.module), "-trimpath", f"-ldflags={flags}"]
    environment = toolchain.environment(environ)
    output = Output()
    with progress.shown(f"Building {_title(plan)} with {plan.go}; this takes minutes, once."):
        stale = work / "stale"
        command = ["list", *options, "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}", *plan.packages]
        _run([str(plan.go), *command], environment, progress, output, stale)
        output.start_compiling(total=len(stale.read_text().split()))
        stale.unlink()
        command = ["build", *options, "-v", "-o", f"{work}/", *plan.packages]
        _run([str(plan.go), *command], environment, progress, output, Path(os.devnull))
    for name in plan.programs:
        built = work / _built_name(PACKAGES[name])
        if built.exists():
            built.rename(work / name)
    if missing := plan.missing(work):
        raise BuildFailed(f"go reported no error and did not build {' and '.join(missing)}", "\n".join(output.last))
    progress.say(f"Built; kept in {plan.entry}.")


def _title(plan: Plan) -> str:
    programs = f"Kubernetes {plan.version}"
    return f"etcd and {programs}" if "etcd" in plan.programs else f"the controllers of {programs}"


def _built_name(package: str) -> str:
    """Return the name that Go gives a program: the last part of its package's path that is not a major version."""
    *_, before, last = package.split("/")
    return before if last == "v3" else last


def _run(command: list[str], environment: dict[str, str], progress: Progress, output: Output, stdout: Path) -> None:
    """Run Go, show what it reports on stderr, and keep its stdout in a file. Raises ``BuildFailed``.

    Go gets a session of its own: Ctrl-C reaches this process, which then kills Go with all compilers that it started.
    If this process is killed, the kernel kills Go.
    """
    with stdout.open("wb") as file:
        child = subprocess.Popen(
            dying_with_parent(command),
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    assert child.stderr is not None
    try:
        for line in _lines(child.stderr):
            output.read(line)
            progress.update(output.summary(), output.packages, output.total)
        code = child.wait()
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        raise
    finally:
        child.stderr.close()
    if code != 0:
        raise BuildFailed(f"go could not build the control plane: exit code {code}", "\n".join(output.last))


def _lines(stream: IO[bytes]) -> Iterator[str]:
    """Yield the lines of a stream, and an empty one after each second without output: the linker prints nothing."""
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
    """What ``go list`` and then ``go build -v`` have printed so far."""

    downloads: int = 0
    packages: int = 0
    total: int | None = None
    """Packages to compile, by ``go list``: those that Go's build cache does not have. None until they are counted."""
    latest: str = ""
    last: deque[str] = field(default_factory=lambda: deque(maxlen=SHOWN_LINES))
    _compiling_since: float = 0.0

    def start_compiling(self, total: int) -> None:
        """Set the total; what is read from now on is the output of ``go build``."""
        self.total = total
        self._compiling_since = time.monotonic()

    def read(self, line: str) -> None:
        """Count a line. Keep it if it names neither a download nor a package, because then it is about an error."""
        if line.startswith("go: downloading "):
            self.downloads += 1
            self.latest = line.removeprefix("go: downloading ")
        elif line and " " not in line and not line.startswith("#"):  # -v names each package as it is compiled
            self.packages += 1
        elif line:
            self.last.append(line)

    def summary(self) -> str:
        """Return how far the build is, in one line."""
        if self.total is None:
            return (
                f"{self.downloads} modules downloaded, now {self.latest}" if self.downloads else "Looking for modules"
            )
        if self.packages >= self.total:
            return "All packages compiled, linking"
        compiled = f"{self.packages:,} of {self.total:,} packages compiled"
        left = time_left(time.monotonic() - self._compiling_since, self.packages, self.total)
        return f"{compiled}, {left}" if left else compiled
