"""Programs for tests that Go builds once and that are kept beside the control plane's programs.

A module of this repository pins its programs by go.sum. A published package without a module of ours is installed by
its version, which works only if its go.mod replaces nothing.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from integration_operator_sandbox.controlplane import binaries, toolchain

BUILD_TIMEOUT = 1200.0
"""Seconds for the modules of the largest programs to be downloaded and compiled."""


def programs_of(module: Path, packages: Sequence[str], *, tags: str = "") -> Path:
    """Return the directory with the programs of a module's ``packages``; build them first if this machine has none.

    The directory ``module`` has go.mod and go.sum, and the source of packages that begin with ``./``.
    """
    digest = hashlib.sha256(" ".join((*packages, tags)).encode())
    for file in (module / "go.mod", module / "go.sum", *sorted(module.rglob("*.go"))):
        digest.update(file.read_bytes())
    version = re.search(r"^go (\S+)$", (module / "go.mod").read_text(), re.MULTILINE)
    assert version, "go.mod names a version of Go"
    entry = _cache() / module.name.replace("_", "-") / digest.hexdigest()[:12]
    flags = ["-C", str(module), "-trimpath", "-ldflags=-s -w", f"-tags={tags}", "-o", f"{entry}/"]
    return _built_once(entry, version[1], ["build", *flags, *packages])


def installed(package: str, version: str, *, go: str) -> Path:
    """Return the directory with the program of a published package; ``go`` is the oldest Go that builds it."""
    name = re.sub(r"/v\d+$", "", package).rpartition("/")[2]
    return _built_once(_cache() / f"{name}-{version}", go, ["install", f"{package}@{version}"])


def downloaded(module: str, version: str) -> Path:
    """Return the directory with the files of a published module; download it first if this machine has none."""
    command = [str(toolchain.find_go("1.24")), "mod", "download", "-json", f"{module}@{version}"]
    environment = toolchain.environment(os.environ)
    done = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=BUILD_TIMEOUT)
    return Path(json.loads(done.stdout)["Dir"])


def _cache() -> Path:
    return binaries.cache_entry().parents[1]


def _built_once(entry: Path, go: str, arguments: Sequence[str]) -> Path:
    """Run Go, unless it has filled this entry before. Other processes wait for the one that builds."""
    entry.mkdir(parents=True, exist_ok=True)
    with (entry / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (entry / "complete").exists():
            environment = {**toolchain.environment(os.environ), "GOBIN": str(entry)}
            command = [str(toolchain.find_go(go)), *arguments]
            subprocess.run(command, env=environment, check=True, timeout=BUILD_TIMEOUT)
            (entry / "complete").touch()
    return entry
