"""Write the generated pages below a directory: ``make reference`` writes docs/, ``make manifests`` compares with it.

Usage: python -m tools.reference DIRECTORY
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from tools.reference import commands, conditions, kinds, logs, metrics, names, settings, template_variables

PAGES: dict[str, Callable[[], str]] = {
    "conditions.md": conditions.page,
    "logs.md": logs.page,
    "metrics.md": metrics.page,
    "reference/commands.md": commands.page,
    "reference/kinds.md": kinds.page,
    "reference/names.md": names.page,
    "reference/settings.md": settings.page,
    "reference/template-variables.md": template_variables.page,
}
"""What generates each page, by its path in docs/."""


def main(directory: Path) -> None:
    """Write all pages."""
    for path, page in PAGES.items():
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
