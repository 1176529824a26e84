"""What docs/ says is shown by a test is shown by one that exists, and each threat of docs/security.md has one."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TEST = re.compile(r"(tests/[\w/]+\.py)::(test_\w+)")
FILE = re.compile(r"\btests/[\w/]+\.py\b")
MODULE = re.compile(r"`((?:api|backends|cli|controllers|domain|platforms|rendering|runtime)/[\w/]+\.py)`")
CODE = re.compile(r"`[^`\n]*`")
PACKAGE = ROOT / "operator/integration_operator"
THREATS = 19
"""Lines of the model that the page tells; fewer rows mean that one was lost."""


@cache
def defined_in(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text())
    return frozenset(node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))


def rows(section: str) -> list[str]:
    """Return the rows of the first table of a section of docs/security.md, without its head."""
    text = (ROOT / "docs/security.md").read_text()
    body = text.split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in body.splitlines() if line.startswith("| ")][2:]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_test_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text()
    for file in FILE.findall(text):
        assert (ROOT / file).is_file(), file
    for file, name in TEST.findall(text):
        assert name in defined_in(file), f"{file}::{name}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_each_module_that_a_page_names_exists(page: Path) -> None:
    for module in MODULE.findall(page.read_text()):
        assert (PACKAGE / module).is_file(), module


def test_each_threat_has_one() -> None:
    threats = rows("Threats")
    assert len(threats) >= THREATS
    without = [row for row in threats if not TEST.search(row.rsplit("|", 2)[1])]
    assert without == []


def test_each_test_of_a_threat_is_named() -> None:
    """A file whose name says that it shows a threat stands in the table."""
    named = {file for row in rows("Threats") for file, _ in TEST.findall(row)}
    there = {str(file.relative_to(ROOT)) for file in (ROOT / "tests").rglob("test_threat_*.py")}
    assert there - named == set()


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", CODE.sub("", page.read_text())):
            if "://" in target:
                continue
            path, _, anchor = target.partition("#")
            linked = page.parent / path if path else page
            assert linked.exists(), f"{page.name}: {target}"
            if anchor:
                titles = re.findall(r"(?m)^#+ (.*)$", linked.read_text())
                anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
                assert anchor in anchors, f"{page.name}: {target}"
