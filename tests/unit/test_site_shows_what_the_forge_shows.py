"""The site has the structure that a forge shows, its links lead somewhere, and it loads nothing from another host.

A forge reads Markdown as CommonMark says, and the site by other rules: an indented list can become a paragraph.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from tools.site import START, path_of

ROOT = Path(__file__).parents[2]
COUNTED = ("h1", "h2", "h3", "h4", "li", "table", "tr", "img", "pre", "strong", "em")
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable("table")


class Elements(HTMLParser):
    """Counts the elements of a text, or of its ``article``; collects what it loads and where it links."""

    def __init__(self, inside: str | None = None) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()
        self.loaded: list[str] = []
        self.links: list[str] = []
        self._inside = inside
        self._depth = 0 if inside else 1

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._depth += tag == self._inside
        if tag in LOADS and given.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(given.get(LOADS[tag]) or "")
        if self._depth and tag in COUNTED:
            self.counts[tag] += 1
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))

    def handle_endtag(self, tag: str) -> None:
        self._depth -= tag == self._inside


def elements(text: str, inside: str | None = None) -> Elements:
    parser = Elements(inside)
    parser.feed(text)
    return parser


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does. A warning fails, unless `--quiet` is given."""
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return directory


def pages(site: Path) -> dict[str, str]:
    """Return the pages of the site by their path in the repository; lists of directories are no files of it."""
    found = {file: file.relative_to(site).with_suffix(".md") for file in site.glob("**/*.html") if file.stem != "404"}
    uris = {file: str(uri.parent / "README.md" if uri.stem == "index" else uri) for file, uri in found.items()}
    paths = {file: START if uri == START else path_of(uri) for file, uri in uris.items()}
    return {path: file.read_text() for file, path in paths.items() if (ROOT / path).is_file()}


def test_each_page_is_on_it(site: Path) -> None:
    written = {str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md")}
    assert written | {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"} <= set(pages(site))


def test_each_page_has_the_structure_that_a_forge_shows(site: Path) -> None:
    for path, html in pages(site).items():
        expected = elements(MARKDOWN.render((ROOT / path).read_text())).counts
        shown = elements(html, "article").counts
        differing = {tag: (shown[tag], expected[tag]) for tag in COUNTED if shown[tag] != expected[tag]}
        assert differing == {}, path


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    for path, html in pages(site).items():
        assert [url for url in elements(html).loaded if re.match(r"\w+:|//", url)] == [], path
        assert "mermaid" not in html, f"{path}: the theme loads what draws diagrams from another host"
    for style in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", style.read_text()), style


def test_files_that_pages_link_to_are_on_it(site: Path) -> None:
    copies = [link for html in pages(site).values() for link in elements(html).links if link.endswith((".yaml", ".j2"))]
    assert copies
    for html_file in site.rglob("*.html"):
        for link in elements(html_file.read_text()).links:
            if not re.match(r"\w+:|//|#|/", link):
                assert (html_file.parent / link.split("#")[0]).exists(), f"{html_file}: {link}"


def test_search_finds_a_setting_without_a_network(site: Path) -> None:
    assert "teardowns_per_minute" in (site / "search/search_index.json").read_text()
