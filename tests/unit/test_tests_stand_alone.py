"""What tests share is in ``tests/support``: no module of the tests imports a test module."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]
MODULES = sorted(TESTS.rglob("*.py"))


def imported(module: Path) -> set[str]:
    """Return the dotted names that a module imports, each ``from`` with its module and with what it takes of it."""
    names = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module or ''}.{alias.name}" for alias in node.names)}
    return names


def modules_of_tests(module: Path) -> set[str]:
    """Return the test modules among what a module imports."""
    names = (name for name in imported(module) if name.startswith((".", "tests")))
    return {name for name in names if any(step.startswith("test_") for step in name.split("."))}


def test_no_test_module_is_imported() -> None:
    assert len(MODULES) > 100, "this looks at all modules"
    found = {str(module.relative_to(TESTS)): sorted(modules_of_tests(module)) for module in MODULES}
    assert {module: names for module, names in found.items() if names} == {}
