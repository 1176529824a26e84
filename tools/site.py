"""Hooks of MkDocs: the site has a copy of each file of the repository that a page links to.

Pages link as the forge needs it, by paths in the repository. So on the site the README is the start page, every other
file outside docs/ is below ``repository/``, and links lead there. A link to a directory leads to its README, or to a
list of what is in it.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path, PurePosixPath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
DOCS = PurePosixPath("docs")
START = "README.md"
OUTSIDE = "repository/"
EVERY_PAGE_OF = re.compile(r"^[\w/-]+/$")
"""An entry of ``nav`` that is a directory: its pages, in the order of their names."""

LINK = re.compile(r"(?<=\]\()([^)\s:#]+)(?=[)#])")
"""The target of a link or an image, without its anchor. URLs have a colon."""


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Replace each directory in ``nav`` by its pages."""
    config.nav = _expanded(config.nav)
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside docs/ that pages and ``nav`` lead to, and those that these lead to."""
    in_nav = _outside(config.nav)
    waiting = [START, *(str(DOCS / file.src_uri) for file in files.documentation_pages()), *in_nav]
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        uri, listing = uri_of(path), _listing(path)
        if files.get_file_from_path(uri) is None:
            content = {"abs_src_path": str(ROOT / path)} if listing is None else {"content": listing}
            inclusion = InclusionLevel.UNDEFINED if path in (START, *in_nav) else InclusionLevel.NOT_IN_NAV
            files.append(File.generated(config, uri, inclusion=inclusion, **content))
        if path.endswith(".md"):
            text = (ROOT / path).read_text() if listing is None else listing
            waiting += [target for link in LINK.findall(text) if (target := target_of(path, link))]
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Let links to files of the repository lead to their copies."""
    path, directory = path_of(page.file.src_uri), posixpath.dirname(page.file.src_uri)

    def rewritten(match: re.Match[str]) -> str:
        target = target_of(path, match[1])
        return posixpath.relpath(uri_of(target), directory or ".") if target else match[1]  # MkDocs reports the others

    return LINK.sub(rewritten, markdown)


def uri_of(path: str) -> str:
    """Return the place of a file of the repository on the site."""
    if path == START:
        return "index.md"
    pure = PurePosixPath(path)
    return str(pure.relative_to(DOCS)) if pure.is_relative_to(DOCS) else OUTSIDE + path


def path_of(uri: str) -> str:
    """Return the path in the repository of a page of the site."""
    if uri == "index.md":
        return START
    return uri.removeprefix(OUTSIDE) if uri.startswith(OUTSIDE) else str(DOCS / uri)


def target_of(path: str, link: str) -> str | None:
    """Return the file of the repository that a link in another one leads to, None if there is none."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), link))
    if (ROOT / target).is_dir():
        return posixpath.join(target, "README.md")
    return target if (ROOT / target).is_file() else None


def _listing(path: str) -> str | None:
    """Return the page of a directory without a README; None for a file that exists."""
    if (ROOT / path).is_file():
        return None
    directory = (ROOT / path).parent
    names = sorted(entry.name for entry in directory.iterdir() if not entry.name.startswith((".", "__")))
    return f"# {directory.relative_to(ROOT)}\n\n" + "".join(f"* [{name}]({name})\n" for name in names)


def _expanded(node: object) -> list[object]:
    entries: list[object] = []
    for entry in node if isinstance(node, list) else [node]:
        if isinstance(entry, dict):
            entries += [{title: below if _is_page(below) else _expanded(below)} for title, below in entry.items()]
        elif isinstance(entry, str) and EVERY_PAGE_OF.match(entry):
            pages = sorted((ROOT / DOCS / entry).glob("*.md"), key=lambda page: (page.name != "README.md", page.name))
            entries += [entry + page.name for page in pages]
        else:
            entries.append(entry)
    return entries


def _is_page(node: object) -> bool:
    return isinstance(node, str) and not EVERY_PAGE_OF.match(node)


def _outside(node: object) -> list[str]:
    if isinstance(node, str):
        return [path_of(node)] if node.startswith(OUTSIDE) else []
    values = node.values() if isinstance(node, dict) else node if isinstance(node, list) else []
    return [path for value in values for path in _outside(value)]
