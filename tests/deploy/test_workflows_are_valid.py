"""The workflows of the forge are valid, run only if they are switched on, and build what the repository has."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import go_programs

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
FILE = re.compile(r"(?<![\w./$-])((?:deploy|tests|tools|\.ci)/[\w./-]+)")


def steps(file: Path) -> list[dict[str, Any]]:
    """Return the steps of all jobs."""
    return [step for job in yaml.safe_load(file.read_text())["jobs"].values() for step in job["steps"]]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actionlint_finds_nothing(file: Path) -> None:
    program = go_programs.installed("github.com/rhysd/actionlint/cmd/actionlint", "v1.7.12", go="1.24") / "actionlint"
    done = subprocess.run([program, "-shellcheck=", "-pyflakes=", file], capture_output=True, text=True, timeout=60)
    assert done.stdout + done.stderr == ""


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_it_runs_only_if_it_is_switched_on(file: Path) -> None:
    workflow = yaml.safe_load(file.read_text())
    assert workflow["permissions"] == {"contents": "read"}, "a job says what it needs more"
    for job in workflow["jobs"].values():
        assert "vars." in job.get("if", "") or job.get("needs")
        assert job["timeout-minutes"]


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_what_it_names_exists(file: Path) -> None:
    tasks = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for step in steps(file):
        run = step.get("run", "")
        assert set(re.findall(r"\bmake ([a-z0-9-]+)", run)) <= tasks
        for name in FILE.findall(run):
            assert (ROOT / name.rstrip(".")).exists() or "$" in name, name


def test_the_overlays_of_a_release() -> None:
    text = next(file for file in WORKFLOWS if file.stem == "release").read_text()
    listed = re.search(r"for overlay in (.*); do", text)
    assert listed
    assert all((ROOT / "deploy" / "kustomize" / overlay).is_dir() for overlay in listed[1].split())


CSV = "deploy/olm/bundle/manifests/integration-operator.clusterserviceversion.yaml"


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("deploy/helm/integration-operator/values.yaml", r"^  repository: .*$"),
        ("deploy/helm/integration-operator/values.yaml", r"^  digest: .*$"),
        (
            "deploy/olm/bundle/manifests/integration-operator.clusterserviceversion.yaml",
            r"integration-operator:0\.1\.0",
        ),
        ("deploy/olm/catalog.yaml", r"image: integration-operator-bundle:0\.1\.0"),
        ("deploy/kustomize/base/deployment.yaml", r"image: integration-operator:0\.1\.0"),
        ("deploy/kustomize/connection-controller/deployment.yaml", r"image: integration-operator:0\.1\.0"),
    ],
)
def test_what_a_release_replaces_is_there(file: str, pattern: str) -> None:
    """Sed says nothing if it finds nothing."""
    assert re.search(pattern, (ROOT / file).read_text(), re.MULTILINE)
