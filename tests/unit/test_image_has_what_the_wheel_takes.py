"""The image's build copies what the wheel is made of and nothing else, the dependencies first.

An image needs a container engine, so what is forgotten would show late.
"""

from __future__ import annotations

import tomllib
from fnmatch import fnmatchcase
from pathlib import Path

TOP = Path(__file__).parents[2]
LINES = (TOP / "deploy" / "Dockerfile").read_text().replace("\\\n", "").splitlines()


def copied() -> list[str]:
    """Return what the build copies from the checkout, in order."""
    lines = [line.split()[1:-1] for line in LINES if line.startswith("COPY") and not line.startswith("COPY --from")]
    return [path for line in lines for path in line]


def is_sent(path: str) -> bool:
    """Return True if .dockerignore lets a path into the build: the last pattern that matches it decides."""
    sent = True
    for line in (TOP / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").removeprefix("**/")
        if not line or line.startswith("#"):
            continue
        parts = path.split("/")
        prefixes = ["/".join(parts[: n + 1]) for n in range(len(parts))]
        names = parts if "**/" in line else prefixes
        if any(fnmatchcase(name, pattern) and name.count("/") == pattern.count("/") for name in names):
            sent = line.startswith("!")
    return sent


def test_everything_is_copied() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["force-include"], *(package.partition("/")[0] for package in wheel["packages"])}
    needed |= {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml"}
    assert needed - set(copied()) == set()
    assert all((TOP / path).exists() for path in copied())


def test_the_sandbox_is_not_copied() -> None:
    assert [path for path in copied() if path.split("/")[0] in ("sandbox", ".", "*")] == []
    assert not any("sandbox" in line for line in LINES)


def test_only_that_is_sent_to_the_build() -> None:
    for path in copied():
        assert is_sent(path), path
        assert is_sent(f"{path}/file.yaml"), path
    for path in (
        ".git/config",
        "tests/conftest.py",
        "deploy/Dockerfile",
        "deploy/other/x",
        "kubeconfig",
        ".venv/bin/x",
        "sandbox/pyproject.toml",
        "sandbox/integration_operator_sandbox/cli/__init__.py",
    ):
        assert not is_sent(path), path
    assert not is_sent("operator/integration_operator/__pycache__/x.pyc")


def test_a_change_of_the_code_leaves_the_dependencies_alone() -> None:
    """The layer with the dependencies is made of the locks alone."""
    install = next(number for number, line in enumerate(LINES) if "--require-hashes" in line)
    before = [part for line in LINES[:install] if line.startswith("COPY") for part in line.split()[1:-1]]
    assert before == ["requirements.lock", "requirements-build.lock"]
    assert "requirements-dev.lock" not in copied()


def test_the_amqp_library_is_built_on_request_only() -> None:
    (run,) = [line for line in LINES if "requirements-amqp.lock" in line and line.startswith("RUN")]
    assert run.startswith('RUN if [ -n "$AMQP" ]; then')
    assert "ARG AMQP=" in LINES
    assert "apt-get" not in "".join(line for line in LINES if line != run)


def test_the_libraries_for_traces_are_installed_on_request_only() -> None:
    (run,) = [line for line in LINES if "requirements-otel.lock" in line and line.startswith("RUN")]
    assert run.startswith('RUN if [ -n "$OTEL" ]; then')
    assert "--require-hashes" in run
    assert "ARG OTEL=" in LINES


def test_the_base_can_be_pinned_and_the_user_is_a_number() -> None:
    stages = [line for line in LINES if line.startswith("FROM")]
    assert [stage.split()[1] for stage in stages] == ["${BASE}", "${BASE}"]
    assert "ARG BASE=python:3.11-slim" in LINES
    assert "USER 65532:65532" in LINES
    assert all("no-build-isolation" in line for line in LINES if "pip wheel" in line), "the backend is pinned, too"
