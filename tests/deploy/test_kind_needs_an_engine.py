"""`make e2e-kind` says what it needs, before it does anything, if there is no container engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support import kind

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("stopped", [False, True], ids=["no engine", "an engine that does not answer"])
def test_without_an_engine(tmp_path: Path, stopped: bool) -> None:
    if stopped:
        (tmp_path / "docker").write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / "docker").chmod(0o755)
    command = [sys.executable, "-m", "tests.support.kind"]
    environment = {**os.environ, "PATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "make e2e-kind needs a container engine" in done.stdout
    assert list(tmp_path.iterdir()) == ([tmp_path / "docker"] if stopped else [])


def test_its_files_exist() -> None:
    cluster = yaml.safe_load((ROOT / "deploy/kind/cluster.yaml").read_text())
    assert len(cluster["nodes"]) == 2, "one for each replica"
    assert (ROOT / kind.SUITE).is_file()
