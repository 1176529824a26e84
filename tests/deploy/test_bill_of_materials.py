"""`make sbom` lists exactly the packages of the lock, each with a licence that the image may be published with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools import licenses

ROOT = Path(__file__).parents[2]
LOCKED = re.compile(r"^([\w.-]+)==(\S+)", re.MULTILINE)


def normalized(name: str) -> str:
    """Return the name of a package as an index compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.timeout(400)
def test_of_the_image(tmp_path: Path) -> None:
    command = ["make", "sbom", f"DIST={tmp_path}", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380)
    assert done.returncode == 0, done.stdout + done.stderr
    sbom = json.loads((tmp_path / "integration-operator.cdx.json").read_text())
    locked = {(normalized(n), version) for n, version in LOCKED.findall((ROOT / "requirements.lock").read_text())}
    assert {(normalized(c["name"]), c["version"]) for c in sbom["components"]} == locked
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    described = sbom["metadata"]["component"]
    assert (described["name"], described["version"]) == (project["name"], project["version"])
    assert sbom["bomFormat"] == "CycloneDX"
    assert all(component["purl"].startswith("pkg:pypi/") for component in sbom["components"])
    rows = (tmp_path / "licenses.md").read_text().splitlines()
    assert sum(row.startswith("| ") for row in rows) == len(locked) + 2


@pytest.mark.parametrize(
    ("licence", "identifiers", "code"),
    [
        ({"license": {"id": "MIT"}}, {"MIT"}, 0),
        ({"license": {"name": "License :: OSI Approved :: Apache Software License"}}, {"Apache-2.0"}, 0),
        ({"expression": "Apache-2.0 AND MIT"}, {"Apache-2.0", "MIT"}, 0),
        ({"expression": "GPL-3.0-only OR MIT"}, {"GPL-3.0-only", "MIT"}, 1),
        ({"license": {"name": "Our own"}}, {"Our own"}, 1),
        ({"license": {"name": "License :: OSI Approved"}}, set(), 1),
    ],
)
def test_a_licence_that_is_not_allowed_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], licence: Any, identifiers: set[str], code: int
) -> None:
    component = {"name": "one", "version": "1", "licenses": [licence]}
    assert licenses.licenses_of(component) == identifiers
    file = tmp_path / "sbom.json"
    file.write_text(json.dumps({"components": [component]}))
    assert licenses.main(file) == code
    assert ("one: " in capsys.readouterr().err) == bool(code)
