"""Run the command line as ``python -m integration_operator_sandbox``."""

from __future__ import annotations

from integration_operator_sandbox.cli import app

app()
