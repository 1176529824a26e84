"""kustomize, built once from its Go module and kept beside the control plane's programs."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support import go_programs

PACKAGE = "sigs.k8s.io/kustomize/kustomize/v5"
VERSION = "v5.8.1"
"""The newest that Go 1.24 builds."""


def program() -> Path:
    """Return the program; build it first if this machine has none."""
    return go_programs.installed(PACKAGE, VERSION, go="1.24") / "kustomize"


def build(directory: Path) -> list[dict[str, Any]]:
    """Return the documents that `kubectl apply -k` would send."""
    done = subprocess.run([str(program()), "build", str(directory)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))
