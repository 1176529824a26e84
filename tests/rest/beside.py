"""What lies beside the checkout and is no part of it: upstream's own files, read where they are."""

from __future__ import annotations

import os
from pathlib import Path

SHARED = Path(__file__).parents[3] / "shared"


def shared(path: str) -> Path | None:
    """A file of ``../shared``; None where it is not there, which CI takes as a failure."""
    found = SHARED / path
    if found.is_file():
        return found
    if os.environ.get("CI"):
        raise FileNotFoundError(f"{found} is missing, and CI skips nothing")
    return None
