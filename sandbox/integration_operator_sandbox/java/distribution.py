"""A distribution of a Java program: fetched once from Maven Central, prepared once, and not written to again.

This happens in a directory beside the cache entry, which is renamed into place when it is complete: an entry is
complete or absent. One process works at a time, and deletes what an interrupted one has left.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from integration_operator_sandbox.controlplane import binaries
from integration_operator_sandbox.errors import BuildFailed, SandboxError
from integration_operator_sandbox.java.programs import find_java, find_maven
from integration_operator_sandbox.localhost.process import dying_with_parent
from integration_operator_sandbox.progress import Progress

COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
SHOWN_LINES = 15

Prepare = Callable[[Path, Mapping[str, str]], None]
"""Called once with the unpacked directory and the environment."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """A zip in Maven Central.

    ``file`` is the name under which Maven stores it, and ``top`` the directory in it. ``digest`` is its SHA-256: Maven
    only checks a checksum that comes from the same server as the file. ``options`` are those that it is prepared for.
    """

    name: str
    version: str
    artifact: str
    file: str
    digest: str
    top: str
    megabytes: int
    options: tuple[str, ...] = ()

    def provide(self, environ: Mapping[str, str] = os.environ, prepare: Prepare | None = None) -> Path:
        """Return the directory of the program. Fetch and prepare it first if it is not cached."""
        entry = self.cache_entry(environ)
        if entry.exists():
            return entry
        find_java(self.name, environ)
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            lock = entry.parent.joinpath(f"{entry.name}.lock").open("a")
        except OSError as error:
            raise SandboxError(f"cannot keep {self.name} in {entry.parent}: {error.strerror}") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if entry.exists():  # the last holder of the lock has done it
                return entry
            leftovers = f"{entry.name}.fetching-"
            for leftover in entry.parent.glob(f"{leftovers}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            work = Path(tempfile.mkdtemp(prefix=leftovers, dir=entry.parent))
            try:
                self._unpack(self._fetch(work, environ), work)
                (work / self.top).rename(work / "whole")
                if prepare is not None:
                    prepare(work / "whole", environ)
                (work / "whole").rename(entry)
            finally:
                shutil.rmtree(work, ignore_errors=True)
        return entry

    def cache_entry(self, environ: Mapping[str, str] = os.environ) -> Path:
        """Return the directory in the user's cache for this version, prepared for these options."""
        key = hashlib.sha256(" ".join((self.digest, *self.options)).encode()).hexdigest()[:12]
        return binaries.cache_entry(environ).parents[1] / self.name.lower() / f"{self.version}-{key}"

    def _fetch(self, work: Path, environ: Mapping[str, str]) -> Path:
        maven = find_maven(self.name, environ)
        options = ["--batch-mode", "--quiet", "--strict-checksums"]
        fetching = [str(maven), *options, COPY, f"-Dartifact={self.artifact}", f"-DoutputDirectory={work}"]
        size = f"({self.megabytes} MB), once."
        with Progress(Console(stderr=True)).shown(f"Fetching {self.name} {self.version} with {maven} {size}"):
            run_program(fetching, work, environ, f"Maven could not fetch {self.name}")
        fetched = work / self.file
        if not fetched.exists():
            raise BuildFailed(f"Maven reported no error and did not fetch {self.name}")
        with fetched.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != self.digest:
                raise BuildFailed(
                    f"{self.artifact} is not the file that it was: its SHA-256 differs from the one pinned here"
                )
        return fetched

    def _unpack(self, archive: Path, work: Path) -> None:
        try:
            with zipfile.ZipFile(archive) as content:
                content.extractall(work)
        except (OSError, zipfile.BadZipFile) as error:
            raise BuildFailed(f"{self.name} {self.version} could not be unpacked", str(error)) from error
        archive.unlink()


def run_program(program: list[str], directory: Path, environ: Mapping[str, str], failure: str) -> None:
    """Run a program to its end. Raises ``BuildFailed`` with its last lines if it fails."""
    done = subprocess.run(
        dying_with_parent(program),
        cwd=directory,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailed(f"{failure}: exit code {done.returncode}", "\n".join(done.stdout.splitlines()[-SHOWN_LINES:]))
