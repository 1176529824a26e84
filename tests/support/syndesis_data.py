"""What was recorded on a real Syndesis, and what every request to one needs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[3] / "shared"
HEADERS = {
    "X-Forwarded-User": "developer",
    "X-Forwarded-Access-Token": "none",
    "SYNDESIS-XSRF-TOKEN": "awesome",
    "Content-Type": "application/json",
    "Accept": "application/json",
}
"""Their presence is what counts; the user's name becomes the owner of what is created."""


def shared(name: str) -> Any:
    """Return a JSON file of ``../shared/upstream`` beside the checkout; skip the test without it, fail in CI."""
    file = SHARED / "upstream" / name
    if not file.is_file():
        message = f"Syndesis's own data is not at ../shared/upstream beside the checkout: {name}"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return json.loads(file.read_text())


def without_empty(document: Any) -> Any:
    """Return a document as Syndesis shows it, without what is empty."""
    if isinstance(document, dict):
        shown = {name: without_empty(value) for name, value in document.items()}
        return {name: value for name, value in shown.items() if value is not None and value not in ("", [], {})}
    return [without_empty(item) for item in document] if isinstance(document, list) else document
