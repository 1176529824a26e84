"""docs/security.md says of each verb in deploy/kustomize what needs it, and of no other; there is no wildcard."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy/kustomize"
URL = "(URL)"
"""In place of the group of a path, which is no resource."""
Permission = tuple[str, str, frozenset[str], str]
"""Group, resource, names (none: all), verb."""


def granted(directory: str) -> set[Permission]:
    found = set()
    for file in sorted((DEPLOY / directory).glob("*.yaml")):
        for document in yaml.safe_load_all(file.read_text()):
            if not document or document["kind"] not in ("Role", "ClusterRole"):
                continue
            for rule in document["rules"]:
                found |= {
                    (group, resource, frozenset(rule.get("resourceNames", ())), verb)
                    for group in rule.get("apiGroups", [URL])
                    for resource in rule.get("resources") or rule["nonResourceURLs"]
                    for verb in rule["verbs"]
                }
    return found


def explained(directory: str) -> set[Permission]:
    text = (ROOT / "docs/security.md").read_text()
    section = re.split(r"\n###? ", text.split(f"\n### {directory}\n", 1)[1], maxsplit=1)[0]
    found = set()
    for line in [line for line in section.splitlines() if line.startswith("| ")][2:]:
        group, resources, verbs, why = (cell.strip() for cell in line.strip("|").split("|"))
        assert why, line
        resource, _, only = resources.partition(":")
        named = frozenset(name.strip() for name in only.split(",") if name.strip())
        found |= {("" if group == "(core)" else group, resource, named, verb) for verb in verbs.split(", ")}
    return found


WITH_ROLES = sorted(directory.name for directory in DEPLOY.iterdir() if directory.is_dir() and granted(directory.name))


@pytest.mark.parametrize("directory", WITH_ROLES)
def test_each_verb_has_a_reason(directory: str) -> None:
    assert explained(directory) == granted(directory)


def test_there_is_no_wildcard() -> None:
    for directory in WITH_ROLES:
        for group, resource, names, verb in granted(directory):
            assert "*" not in (group, resource, verb, *names)
