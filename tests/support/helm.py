"""Helm, built once from its Go module, and the chart of the operator."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support import go_programs
from tests.support.documents import Document

PACKAGE = "helm.sh/helm/v4/cmd/helm"
VERSION = "v4.3.1"
CHART = Path(__file__).parents[2] / "deploy" / "helm" / "integration-operator"
NAME = "integration-operator"


class HelmError(Exception):
    """Helm refused a command; the message is what it printed."""


def program() -> str:
    """Return the program; build it first if this machine has none."""
    return str(go_programs.installed(PACKAGE, VERSION, go="1.26") / "helm")


def rendered(
    values: Document | None = None, *, release: str = NAME, namespace: str = NAME, flags: Sequence[str] = ()
) -> list[Document]:
    """Return the documents of the chart with these values. Raises ``HelmError``."""
    text = _run("template", release, str(CHART), "--namespace", namespace, *flags, "--values", "-", stdin=values)
    return [document for document in yaml.safe_load_all(text) if document]


def lint(values: Document | None = None) -> str:
    """Return what `helm lint --strict` prints. Raises ``HelmError``."""
    return _run("lint", "--strict", str(CHART), "--values", "-", stdin=values)


@dataclass(frozen=True, slots=True)
class Helm:
    """Helm as one user of a control plane."""

    kubeconfig: Path
    home: Path

    async def __call__(self, *arguments: str, values: Document | None = None) -> str:
        """Return the output of a command that succeeds. Raises ``HelmError``."""
        stdin = ("--values", "-") if values is not None else ()
        return await asyncio.to_thread(
            _run, *arguments, *stdin, stdin=values, KUBECONFIG=str(self.kubeconfig), HOME=str(self.home)
        )


def _run(*arguments: str, stdin: Document | None = None, **environment: str) -> str:
    done = subprocess.run(
        [program(), *arguments],
        input=yaml.safe_dump(stdin or {}),
        capture_output=True,
        text=True,
        timeout=120,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
    )
    if done.returncode:
        raise HelmError(done.stderr + done.stdout)
    return done.stdout


def of_kind(documents: list[Document], kind: str) -> list[Document]:
    """Return the documents of a kind."""
    return [document for document in documents if document["kind"] == kind]


def container(documents: list[Document], name: str = "operator") -> dict[str, Any]:
    """Return a container of the Deployments, by its name."""
    containers = [c for d in of_kind(documents, "Deployment") for c in d["spec"]["template"]["spec"]["containers"]]
    (found,) = [c for c in containers if c["name"] == name]
    return dict(found)
