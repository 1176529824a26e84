"""The image's build copies all that the wheel is made of: an image needs an engine, so a forgotten line shows late."""

from __future__ import annotations

import tomllib
from pathlib import Path

TOP = Path(__file__).parents[2]


def test_everything_is_copied() -> None:
    project = tomllib.loads((TOP / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["force-include"], *(package.partition("/")[0] for package in wheel["packages"])}
    lines = (TOP / "deploy" / "Dockerfile").read_text().splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY") and not line.startswith("COPY --from")}
    assert needed - copied == set()
    assert all((TOP / path).exists() for path in needed)
