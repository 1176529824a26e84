"""Print which share of function docstrings does not start with an imperative verb (ruff's rule D401).

Usage: tools/docstrings.py DIRECTORY …
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path


def main(directories: list[str]) -> None:
    """Count the docstrings of functions, properties aside, and those that ruff reports."""
    total = 0
    for directory in directories:
        for file in Path(directory).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                    decorators = {ast.unparse(decorator).rpartition(".")[2] for decorator in node.decorator_list}
                    total += ast.get_docstring(node) is not None and not decorators & {"property", "cached_property"}
    command = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--isolated",
        "--select",
        "D401",
        "--output-format",
        "concise",
        "--exit-zero",
    ]
    report = subprocess.run([*command, *directories], capture_output=True, text=True, check=True).stdout
    found = sum(": D401" in line for line in report.splitlines())
    print(f"{found} of {total} docstrings of functions do not start with an imperative verb ({found / total:.0%})")


main(sys.argv[1:])
