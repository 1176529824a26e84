"""kustomize, built once from its Go module and kept beside the control plane's programs."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

from integration_operator_sandbox.controlplane import binaries, toolchain

VERSION = "v5.8.1"
"""The newest that Go 1.24 builds."""
MODULE = f"sigs.k8s.io/kustomize/kustomize/v5@{VERSION}"


def program() -> Path:
    """Return the program; build it first if this machine has none. Other processes wait for the one that builds."""
    directory = binaries.cache_entry().parents[1] / f"kustomize-{VERSION}"
    directory.mkdir(parents=True, exist_ok=True)
    built = directory / "kustomize"
    with (directory / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not os.access(built, os.X_OK):
            go = toolchain.find_go("1.24")
            environment = {**toolchain.environment(os.environ), "GOBIN": str(directory)}
            subprocess.run([str(go), "install", MODULE], env=environment, check=True, timeout=600)
    return built


def build(directory: Path) -> list[dict[str, Any]]:
    """Return the documents that `kubectl apply -k` would send."""
    done = subprocess.run([str(program()), "build", str(directory)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))
