"""Each page of docs/how-to says first what for, then has the same four sections, and leads on to other pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGES = sorted((Path(__file__).parents[2] / "docs/how-to").glob("*.md"))
SECTIONS = ["Before you begin", "Steps", "Check", "See also"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_skeleton(page: Path) -> None:
    text = page.read_text()
    title, purpose, *_ = [line for line in text.splitlines() if line]
    assert re.match(r"# (?!How)[A-Z]", title)
    assert purpose.startswith("To "), "the first sentence says what for"
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    sections = dict(zip(SECTIONS, re.split(r"^## .*$", text, flags=re.MULTILINE)[1:], strict=True))
    assert "```console" in sections["Steps"]
    assert "```console" in sections["Check"]
    assert "](" in sections["See also"]
