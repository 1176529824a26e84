"""promtool, Prometheus' own checker of metrics, alert rules and expressions.

``promtool_module`` is a Go module that pins it. It is built once and kept beside the control plane's programs, without
the service discovery of clouds, which no check needs. ``make test`` builds it first.
"""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.support import go_programs

MODULE = Path(__file__).parent / "promtool_module"
PACKAGE = "github.com/prometheus/prometheus/cmd/promtool"


@cache
def program() -> Path:
    """Return the program; build it first if this machine has none."""
    return go_programs.programs_of(MODULE, [PACKAGE], tags="remove_all_sd") / "promtool"


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    """Return the output of a command that succeeds."""
    done = subprocess.run([program(), *arguments], input=stdin, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
