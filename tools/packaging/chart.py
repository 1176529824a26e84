"""The generated files of the Helm chart: rules, kinds, schema of the values, and their table in its README."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tools.packaging import sources, values

CHART = sources.ROOT / "deploy" / "helm" / "integration-operator"
WORD_FOR_WORD = ("tenants", "admission-policy")
"""Directories of deploy/kustomize that are the same in every cluster."""

TABLE = re.compile(r"(?<=<!-- values: make packages -->\n)\n.*?(?=<!-- end of values -->)", re.DOTALL)


def generated() -> dict[Path, str]:
    """Return the content of each generated file."""
    text = (CHART / "values.yaml").read_text()
    files = CHART / "files"
    readme = (CHART / "README.md").read_text()
    copies = {files / "crds" / file.name: file.read_text() for file in sources.definitions()}
    for directory in WORD_FOR_WORD:
        copies |= {files / directory / file.name: file.read_text() for file in sources.files(directory)}
    return {
        CHART / "README.md": TABLE.sub(lambda _: f"\n{values.table(text)}\n\n", readme),
        CHART / "values.schema.json": json.dumps(values.schema(text), indent=2) + "\n",
        **{files / "rules" / f"{role}.yaml": sources.rules_text(role) for role in sources.RULES},
        **copies,
    }
