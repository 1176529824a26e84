"""docs/reference/names.md: labels, annotations and finalizers, from api/names.py and the modules that use them."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.reference.markdown import GENERATED, code, codes, table

PACKAGE = Path(__file__).parents[2] / "operator/integration_operator"
NAMES = PACKAGE / "api/names.py"

HEAD = f"""\
# Labels, annotations, finalizers

{GENERATED.format(source="operator/integration_operator/api/names.py")}
Names on objects, with the modules of the operator that read or write them. They are a contract: a release that
changes one says so. A *child* is a Secret, MessagingUser or Connection of a pair. [Ownership](../ownership.md) says
what they prove.
"""

WRITERS = {
    "Written by users": "Written by users",
    "On all objects of the operator": "Written by the operator, on each object that it creates",
    "Written by the operator": "Written by the operator, where it is needed",
    "Names of EnMasse and Syndesis": "Written by EnMasse and Syndesis",
}
"""Titles of sections, by the comment above the constants; in their order on the page."""

ON_OBJECTS = re.compile(r"[a-z.]+\.(?:org|io)/[a-z-]+")
"""A label, an annotation or a finalizer, unlike the other names."""

API_VERSION = re.compile(r".*/v\d\w*")


class Name(NamedTuple):
    """A constant of api/names.py."""

    constant: str
    value: str
    section: str
    meaning: str


def page() -> str:
    """Return the text of the page."""
    used = modules()
    text = HEAD
    for section, title in WRITERS.items():
        rows = (
            (code(name.value), name.meaning, codes(sorted(used[name.constant])))
            for name in names()
            if name.section == section
        )
        text += f"\n## {title}\n\n{table(('name', 'on which object, and its effect', 'in the code'), rows)}"
    return text


def names() -> Iterator[Name]:
    """Yield the names on objects, each with the comment above its section and the text below it."""
    source = NAMES.read_text()
    lines, body = source.splitlines(), ast.parse(source).body
    for node, following in zip(body, [*body[1:], None], strict=True):
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.value, ast.Constant):
            continue
        value = str(node.value.value)
        if ON_OBJECTS.fullmatch(value) and not API_VERSION.fullmatch(value):
            section = next(line for line in reversed(lines[: node.lineno]) if line.startswith("# "))
            yield Name(ast.unparse(node.target), value, section.removeprefix("# "), _text(following))


def modules() -> dict[str, set[str]]:
    """Return the modules that use each constant."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "names":
                found[node.attr].add(str(file.relative_to(PACKAGE)))
    return found


def _text(node: ast.stmt | None) -> str:
    """Return a text that stands alone, such as the one below a constant; it may name another constant."""
    assert isinstance(node, ast.Expr), "each name says what it means"
    assert isinstance(node.value, ast.Constant)
    values = {name: str(value) for name, value in _constants().items()}
    return re.sub(r"`([A-Z_]+)`", lambda match: code(values.get(match[1], match[1])), str(node.value.value))


def _constants() -> dict[str, object]:
    nodes = ast.parse(NAMES.read_text()).body
    assigned = [node for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Constant)]
    return {ast.unparse(node.target): node.value.value for node in assigned if isinstance(node.value, ast.Constant)}
