"""How a command ends when it cannot do what was asked: one line, and an exit code that programs can tell apart."""

from __future__ import annotations

from typing import NoReturn

import typer

DEFECT = 1
"""Something happened that must not."""
WRONG_INPUT = 2
"""A flag, a setting, a template or a file is wrong."""
NO_PAIR = 3
"""Everything was read, and there is no pair in it."""
NO_CLUSTER = 4
"""The cluster cannot be reached."""
UNFINISHED = 5
"""What was asked for goes on, and was not done in time."""


def fail(message: object, code: int) -> NoReturn:
    """Say what is wrong and end."""
    typer.echo(f"integration-operator: {' '.join(str(message).split())}", err=True)
    raise typer.Exit(code)
