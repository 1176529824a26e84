"""Files that are shipped with the package: templates, CustomResourceDefinitions and manifests."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).parent

IN_CHECKOUT = {"templates": "templates", "crds": "crds", "deploy": "deploy/kustomize"}
"""Where a checkout has what the wheel has inside the package (``force-include`` in pyproject.toml)."""


def shipped_directory(name: str) -> Path:
    """Return the directory of ``templates``, ``crds`` or ``deploy``, in an installed package and in a checkout.

    Raises ``FileNotFoundError`` if the installation is damaged.
    """
    for candidate in (PACKAGE / name, PACKAGE.parents[1] / IN_CHECKOUT[name]):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"{PACKAGE / name}: the installation is damaged; install integration-operator again")
