"""kustomize, built once from its Go module and kept beside the control plane's programs."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.support import go_programs

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy" / "kustomize"
PACKAGE = "sigs.k8s.io/kustomize/kustomize/v5"
VERSION = "v5.8.1"
"""The newest that Go 1.24 builds."""


def program() -> Path:
    """Return the program; build it first if this machine has none."""
    return go_programs.installed(PACKAGE, VERSION, go="1.24") / "kustomize"


def build(directory: Path) -> list[dict[str, Any]]:
    """Return the documents that `kubectl apply -k` would send."""
    done = subprocess.run([str(program()), "build", str(directory)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def overlay_of_page(heading: str, directory: Path) -> str:
    """Return the first overlay under a heading of docs/installing.md, for a directory in which it is written."""
    section = (ROOT / "docs" / "installing.md").read_text().split(f"\n{heading}\n", 1)[1]
    text = section.split("```yaml\n", 1)[1].split("```", 1)[0]
    return text.replace("path/to/deploy", os.path.relpath(DEPLOY.parent, directory))


def overlay_of_namespaces(directory: Path, namespaces: Sequence[str]) -> Path:
    """Write the overlay of docs/installing.md for some namespaces; return its directory."""
    overlay = directory / "overlay"
    overlay.mkdir()
    text = overlay_of_page("## Some namespaces", overlay)
    written = yaml.safe_load(text.replace("shop,fuse", ",".join(namespaces)))
    written["resources"] = [*(name for name in written["resources"] if "/" in name), *namespaces]
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(written))
    for namespace in namespaces:
        (overlay / namespace).mkdir()
        watched = os.path.relpath(DEPLOY / "watched-namespace", overlay / namespace)
        contents = yaml.safe_dump({"namespace": namespace, "resources": [watched]})
        (overlay / namespace / "kustomization.yaml").write_text(contents)
    return overlay
