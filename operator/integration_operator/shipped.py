"""Files of the package: templates, CustomResourceDefinitions and manifests."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent

IN_CHECKOUT = {"templates": "templates", "crds": "crds", "deploy": "deploy/kustomize"}
"""Directories in a checkout; the wheel has them inside the package (``force-include`` in pyproject.toml)."""


def shipped_directory(name: str) -> Path:
    """Return the directory of ``templates``, ``crds`` or ``deploy``, in an installed package or a checkout.

    Raises ``FileNotFoundError`` if the installation is damaged.
    """
    for candidate in (PACKAGE / name, PACKAGE.parents[1] / IN_CHECKOUT[name]):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{PACKAGE / name}: the installation is damaged; install integration-operator again")
