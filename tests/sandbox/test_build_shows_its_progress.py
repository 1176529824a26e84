"""A build shows how many packages are compiled, of how many, and estimates the time that is left."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from integration_operator_sandbox import progress
from integration_operator_sandbox.controlplane import PROGRAMS, binaries, build

GO = """#!/bin/sh
if [ "$1" = list ]; then
    echo "go: downloading k8s.io/api v0.36.3" >&2
    [ "$8" = "{{if .Stale}}{{.ImportPath}}{{end}}" ] && printf "a\\n\\nb\\nc\\nd\\n"
    exit 0
fi
for argument; do [ "$previous" = -o ] && into=$argument; previous=$argument; done
echo k8s.io/api/core/v1 >&2
sleep 0.3
echo k8s.io/api/apps/v1 >&2
sleep 0.3
touch "${into}server" "${into}kube-apiserver" "${into}controllermanager"; chmod +x "$into"*
"""


def run_build(tmp_path: Path, console: Console) -> Path:
    go = tmp_path / "go"
    go.write_text(GO)
    go.chmod(0o755)
    entry = tmp_path / "cache" / "entry"
    build.build(build.Plan(entry, go, binaries.module(), "v1.36.3", PROGRAMS), {}, console)
    return entry


def test_lines_now_and_then_without_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "QUIET_PERIOD", 0.0)
    output = io.StringIO()
    entry = run_build(tmp_path, Console(file=output))
    lines = output.getvalue().splitlines()
    assert lines[0].startswith("Building etcd and Kubernetes v1.36.3")
    assert "1 modules downloaded, now k8s.io/api v0.36.3 (0:00)" in lines
    assert "1 of 4 packages compiled, less than a minute left (0:00)" in lines
    assert "2 of 4 packages compiled, less than a minute left (0:00)" in lines
    assert lines[-1] == f"Built; kept in {entry}."
    assert "\x1b" not in output.getvalue()


def test_a_bar_on_a_terminal(tmp_path: Path) -> None:
    output = io.StringIO()
    run_build(tmp_path, Console(file=output, force_terminal=True, width=120))
    assert "━" in output.getvalue()
    assert "2 of 4 packages compiled, less than a minute left" in output.getvalue()


@pytest.mark.parametrize(
    ("elapsed", "done", "left"),
    [
        (1.0, 10, ""),
        (60.0, 500, "about 3 min left"),
        (120.0, 1000, "about 2 min left"),
        (180.0, 1900, "less than a minute left"),
        (240.0, 2000, ""),
    ],
)
def test_the_estimate_is_proportional_and_not_too_early(elapsed: float, done: int, left: str) -> None:
    assert progress.time_left(elapsed, done, 2000) == left


def test_no_controller_is_compiled_that_is_not_run() -> None:
    source = (binaries.module() / "controllermanager" / "main.go").read_text()
    imported = re.findall(r'^\t"k8s\.io/kubernetes/(\S+)"$', source, re.MULTILINE)
    assert imported == [f"pkg/controller/{name}" for name in ("garbagecollector", "namespace", "serviceaccount")]
    assert "kube-controller-manager" not in (binaries.module() / "tools.go").read_text()
    assert "/cmd/kube-controller-manager" not in " ".join(build.PACKAGES.values())
