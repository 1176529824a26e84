"""Print the licence of each package in a bill of materials, as a table: `make sbom` writes the file.

Usage: tools/licenses.py SBOM

Exit code 1: a package has no licence, or one that `ALLOWED` does not have.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "MIT-0", "PSF-2.0", "Python-2.0"),
    *("MPL-2.0", "LGPL-3.0-or-later"),
}
"""SPDX identifiers of licences that an image under Apache-2.0 may be published with; BSD: the number of clauses is not
declared. Those of the second line bind changes of the package itself; the image has each package unchanged, with its
source."""

NAMES = {
    "Apache License": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "MIT License": "MIT",
    "The MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What packages without an SPDX identifier call their licence, and its identifier."""


def licenses_of(component: dict[str, Any]) -> set[str]:
    """Return the SPDX identifiers of a component's licences; a name that is none stays as it is."""
    found = set()
    for entry in component.get("licenses", ()):
        license_ = entry.get("license", {})
        text = entry.get("expression") or license_.get("id") or license_.get("name", "")
        name = text.removeprefix("License :: OSI Approved :: ").removeprefix("License :: ")
        parts = re.split(r"\s+(?:AND|OR|WITH)\s+", NAMES.get(name, name).strip("()"))
        found |= {NAMES.get(part, part) for part in parts if part and part != "OSI Approved"}
    return found


def main(sbom: Path) -> int:
    """Print the table; return the exit code."""
    components = json.loads(sbom.read_text())["components"]
    refused = []
    print("# Licences of the packages in the image\n\n| package | version | licence |\n| --- | --- | --- |")
    for component in sorted(components, key=lambda c: c["name"].lower()):
        licenses = licenses_of(component)
        if not licenses or licenses - ALLOWED:
            refused.append(f"{component['name']}: {', '.join(sorted(licenses)) or 'no licence'}")
        print(f"| {component['name']} | {component['version']} | {', '.join(sorted(licenses))} |")
    print(*refused, sep="\n", end="\n" if refused else "", file=sys.stderr)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
