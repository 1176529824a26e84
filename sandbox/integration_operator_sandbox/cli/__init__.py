"""The command line ``integration-operator-sandbox``."""

from __future__ import annotations

import typer

from integration_operator_sandbox.cli.controlplane import build, down, status, toolchain, up
from integration_operator_sandbox.cli.demo import demo
from integration_operator_sandbox.cli.failure import PROGRAM
from integration_operator_sandbox.cli.syndesis import syndesis

app = typer.Typer(
    name=PROGRAM,
    help="Run a Kubernetes control plane without containers and nodes, and simulations of EnMasse and Syndesis.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # locals hold tokens
)
for command in (demo, up, down, status, build, syndesis, toolchain):
    app.command()(command)

__all__ = ["app"]
