"""The command line of the sandbox: one control plane after another, and the demo."""

from __future__ import annotations

from integration_operator_sandbox.cli.commands import app
from integration_operator_sandbox.cli.demo import demo

app.command()(demo)

__all__ = ["app"]
