"""What GitOps tools do with an Integration: programs built from the tools' own libraries, and what they are asked.

``gitops_tools`` is a Go module with two programs: ``status`` judges objects with kstatus, Argo CD's interpreter of Lua
and Flux's evaluator of CEL; ``kubectl`` is Kubernetes' own. They are built once and kept beside the control plane's
programs. ``make test`` builds them first.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support import go_programs
from tests.support.documents import Document

MODULE = Path(__file__).parent / "gitops_tools"
PROGRAMS = ("status", "kubectl")
SHIPPED = Path(__file__).parents[2] / "deploy" / "gitops"
ARGO_CD = SHIPPED / "argocd" / "argocd-cm.yaml"
FLUX = SHIPPED / "flux" / "integrations.yaml"
GROUPS = {"Integration": "integreatly.org", "Connection": "syndesis.io"}


@cache
def program(name: str) -> str:
    """Return the path of a program; build both first if this machine has none."""
    return str(go_programs.programs_of(MODULE, [f"./{name}" for name in PROGRAMS]) / name)


def _judged(**request: Any) -> str:
    done = subprocess.run([program("status")], input=json.dumps(request), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["status"])


def kstatus(document: Document) -> str:
    """Return the status of an object by sigs.k8s.io/cli-utils."""
    return _judged(object=document)


def argo_cd(document: Document) -> str:
    """Return the health of an object by the shipped health check for Argo CD."""
    customizations = yaml.safe_load(ARGO_CD.read_text())["data"]
    kind = document["kind"]
    return _judged(object=document, lua=customizations[f"resource.customizations.health.{GROUPS[kind]}_{kind}"])


def flux(document: Document) -> str:
    """Return the status of an object by the shipped healthCheckExprs for Flux."""
    (expressions,) = [e for e in yaml.safe_load(FLUX.read_text())["spec"]["healthCheckExprs"] if _is_of(e, document)]
    return _judged(object=document, cel=expressions)


def _is_of(expressions: Document, document: Document) -> bool:
    return all(expressions[key] == document[key] for key in ("apiVersion", "kind"))


def all_tools(document: Document) -> tuple[str, str, str]:
    """Return what kstatus, the health check of Argo CD and that of Flux say of an object."""
    return kstatus(document), argo_cd(document), flux(document)


@dataclass(frozen=True, slots=True)
class Kubectl:
    """Kubernetes' own kubectl, as one user of a control plane."""

    kubeconfig: Path
    home: Path

    async def run(self, *arguments: str, stdin: Document | None = None) -> tuple[int, str]:
        """Return exit code and output of a command."""
        child = await asyncio.create_subprocess_exec(
            program("kubectl"),
            *arguments,
            env={"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home), "PATH": os.environ["PATH"]},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        text = json.dumps(stdin).encode() if stdin is not None else b""
        output, _ = await asyncio.wait_for(child.communicate(text), 60)
        assert child.returncode is not None
        return child.returncode, output.decode()

    async def __call__(self, *arguments: str, stdin: Document | None = None) -> str:
        """Return the output of a command that succeeds."""
        code, output = await self.run(*arguments, stdin=stdin)
        assert code == 0, output
        return output


if __name__ == "__main__":
    for name in PROGRAMS:
        print(program(name))
