"""Questions to the user before a command that cannot be taken back."""

from __future__ import annotations

import sys

import typer

from integration_operator.cli.failure import WRONG_INPUT, fail


def ask(question: str, *, refused: str) -> None:
    """Ask the user to confirm; end the command if they do not.

    Without a terminal to ask on it ends with what is ``refused``, such as "nothing is changed".
    """
    if not sys.stdin.isatty():
        fail(f"{refused} without --yes, because there is no terminal to ask on", WRONG_INPUT)
    typer.confirm(question, abort=True)
