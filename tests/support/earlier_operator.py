"""The operator of an earlier commit, as a process."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.world import World

ROOT = Path(__file__).parents[2]


def check_out(commit: str, directory: Path) -> Path:
    """Extract the sources of a commit; skip the test if a shallow checkout does not reach back to it."""
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", commit, "operator", "templates"]
    archive = subprocess.run(command, capture_output=True)
    if archive.returncode != 0:
        pytest.skip(f"commit {commit} is not in this checkout: git fetch --unshallow")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(directory, filter="data")
    return directory


@asynccontextmanager
async def earlier_operator(world: World, sources: Path, *flags: str) -> AsyncIterator[None]:
    """Run ``run`` of these sources until the end of the block, with the libraries of this environment."""
    command = [sys.executable, "-m", "integration_operator", "run", *flags]
    command += ["--kubeconfig", str(world.control_plane.kubeconfig("operator"))]
    command += ["--probe-port", "0", "--metrics-port", "0", "--log-format", "json"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(sources / "operator")}
    log = sources / "log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        await world.eventually("it logs", lambda: _in_sync(log, process), within=30)
        yield
        assert process.poll() is None, log.read_text()[-3000:]
    finally:
        process.terminate()
        process.wait(30)


async def _in_sync(log: Path, process: subprocess.Popen[bytes]) -> bool:
    text = log.read_text()
    assert process.poll() is None, text[-3000:]
    return "'Connection'" in text or '"Connection"' in text
