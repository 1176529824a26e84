"""actionlint, which checks the workflows of the forge, built once from its Go module."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.support import go_programs

PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"
VERSION = "v1.7.12"


def program() -> Path:
    """Return the program; build it first if this machine has none."""
    return go_programs.installed(PACKAGE, VERSION, go="1.24") / "actionlint"


def findings(workflow: Path) -> str:
    """Return what it finds in a workflow, without what needs shellcheck or pyflakes."""
    command = [program(), "-shellcheck=", "-pyflakes=", workflow]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    return done.stdout + done.stderr
