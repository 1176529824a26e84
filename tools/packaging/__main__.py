"""Write the generated files of the packages, or check that they are as they would be written.

Usage: python -m tools.packaging [--check]
"""

from __future__ import annotations

import sys
from difflib import unified_diff
from pathlib import Path

from tools.packaging import bundle, chart
from tools.packaging.sources import ROOT

WHOLLY_GENERATED = (chart.CHART / "files", bundle.BUNDLE / "manifests")
"""Directories that have generated files only."""


def main(check: bool) -> int:
    """Write or check all files; return the exit code."""
    generated = chart.generated() | bundle.generated()
    existing = {file for directory in WHOLLY_GENERATED for file in directory.rglob("*") if file.is_file()}
    stale = sorted(existing - generated.keys())
    if check:
        different = [file for file, text in generated.items() if _differs(file, text)]
        for file in stale:
            print(f"{file.relative_to(ROOT)} is generated no more: run make packages")
        if not different and not stale:
            print("The Helm chart and the OLM bundle match deploy/kustomize, crds/ and the settings.")
        return 1 if different or stale else 0
    for file, text in generated.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for file in stale:
        file.unlink()
    return 0


def _differs(file: Path, text: str) -> bool:
    """Print what differs between a file and its text."""
    before = file.read_text() if file.is_file() else ""
    name = str(file.relative_to(ROOT))
    lines = list(unified_diff(before.splitlines(), text.splitlines(), name, f"{name} (generated)", lineterm=""))
    print(*lines, sep="\n", end="\n" if lines else "")
    return before != text


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
