"""Keycloak's distribution: fetched once from Maven Central, built once for its options, and not written to again.

This happens in a directory beside the cache entry, which is renamed into place when it is complete: an entry is
complete or absent. One process works at a time, and deletes what an interrupted one has left.

``kc.sh build`` takes half a minute of each first ``start-dev``. As it is done once here, any number of servers can
start from the same entry at the same time, each with data of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from integration_operator_sandbox.controlplane import binaries
from integration_operator_sandbox.errors import BuildFailed, SandboxError
from integration_operator_sandbox.localhost.process import dying_with_parent
from integration_operator_sandbox.platforms.keycloak.java import find_java, find_maven
from integration_operator_sandbox.progress import Progress

VERSION = "26.7.3"
DIGEST = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
"""SHA-256 of the zip. Maven only checks a checksum that comes from the same server as the file."""
ARTIFACT = f"org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
BUILD_OPTIONS = ("--http-relative-path=/auth", "--db=dev-file")
"""EnMasse's Keycloak serves under ``/auth``; each server has its data in a file of its own."""
OPENED = ("java.util", "java.util.concurrent", "java.security", "java.lang")  # as kc.sh opens them to Quarkus
SHOWN_LINES = 15


def provide(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory of a Keycloak that is ready to start. Fetch and build it first if it is not cached."""
    entry = cache_entry(environ)
    if entry.exists():
        return entry
    java = find_java(environ)
    try:
        entry.parent.mkdir(parents=True, exist_ok=True)
        lock = entry.parent.joinpath(f"{entry.name}.lock").open("a")
    except OSError as error:
        raise SandboxError(f"cannot keep Keycloak in {entry.parent}: {error.strerror}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if entry.exists():  # the last holder of the lock has done it
            return entry
        leftovers = f"{entry.name}.fetching-"
        for leftover in entry.parent.glob(f"{leftovers}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        work = Path(tempfile.mkdtemp(prefix=leftovers, dir=entry.parent))
        try:
            _unpack(_fetch(work, environ), work)
            unpacked = work / f"keycloak-{VERSION}"
            unpacked.rename(work / "whole")
            _build(java, work / "whole", environ)
            (work / "whole").rename(entry)
        finally:
            shutil.rmtree(work, ignore_errors=True)
    return entry


def cache_entry(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the directory in the user's cache for this Keycloak, built with these options."""
    key = hashlib.sha256(" ".join((DIGEST, *BUILD_OPTIONS)).encode()).hexdigest()[:12]
    return binaries.cache_entry(environ).parents[1] / "keycloak" / f"{VERSION}-{key}"


def command(java: Path, home: Path, *arguments: str, properties: Sequence[str] = ()) -> list[str]:
    """Return Keycloak's command line without ``kc.sh``, which runs Java as a child that would survive its death."""
    return [
        str(java),
        "-Xms64m",
        "-Xmx512m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # it starts in two thirds of the time, and need not run fast
        "-Duser.language=en",
        "-Duser.country=US",
        *(f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED),
        f"-Dkc.home.dir={home}",
        f"-Djboss.server.config.dir={home / 'conf'}",
        "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        "-Djava.util.concurrent.ForkJoinPool.common.threadFactory="
        "io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory",
        "-Dpicocli.disable.closures=true",
        *properties,
        "-cp",
        str(home / "lib" / "quarkus-run.jar"),
        "io.quarkus.bootstrap.runner.QuarkusEntryPoint",
        *arguments,
    ]


def _fetch(work: Path, environ: Mapping[str, str]) -> Path:
    maven = find_maven(environ)
    options = ["--batch-mode", "--quiet", "--strict-checksums"]
    fetching = [str(maven), *options, COPY, f"-Dartifact={ARTIFACT}", f"-DoutputDirectory={work}"]
    with Progress(Console(stderr=True)).shown(f"Fetching Keycloak {VERSION} with {maven} (170 MB), once."):
        _run(fetching, work, environ, "Maven could not fetch Keycloak")
    fetched = work / f"keycloak-quarkus-dist-{VERSION}.zip"
    if not fetched.exists():
        raise BuildFailed("Maven reported no error and did not fetch Keycloak")
    with fetched.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != DIGEST:
            raise BuildFailed(f"{ARTIFACT} is not the file that it was: its SHA-256 differs from the one pinned here")
    return fetched


def _unpack(archive: Path, work: Path) -> None:
    try:
        with zipfile.ZipFile(archive) as content:
            content.extractall(work)
    except (OSError, zipfile.BadZipFile) as error:
        raise BuildFailed(f"Keycloak {VERSION} could not be unpacked", str(error)) from error
    archive.unlink()


def _build(java: Path, home: Path, environ: Mapping[str, str]) -> None:
    with Progress(Console(stderr=True)).shown(f"Building Keycloak {VERSION} for its options; half a minute, once."):
        building = command(java, home, "build", *BUILD_OPTIONS)
        _run(building, home, environ, "Keycloak could not be built for its options")


def _run(program: list[str], directory: Path, environ: Mapping[str, str], failure: str) -> None:
    done = subprocess.run(
        dying_with_parent(program),
        cwd=directory,
        # KC_ variables are for another Keycloak of the user.
        env={name: value for name, value in environ.items() if not name.startswith("KC_")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise BuildFailed(f"{failure}: exit code {done.returncode}", "\n".join(done.stdout.splitlines()[-SHOWN_LINES:]))
