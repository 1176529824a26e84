"""How a command ends if it cannot do what was asked: one line on stderr, and an exit code for programs.

The exit codes are those of ``integration-operator``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from integration_operator.cli.failure import DEFECT, NO_CLUSTER, WRONG_INPUT
from integration_operator.cli.output import MAX_LINE
from integration_operator.runtime.kubeconfig import ClusterNotFound, KubeconfigInvalid
from integration_operator.runtime.text import sanitized
from integration_operator.runtime.yaml_documents import display_name, os_error_reason
from integration_operator_sandbox.errors import SandboxError

__all__ = ["DEFECT", "NOT_RUNNING", "NO_CLUSTER", "PROGRAM", "WRONG_INPUT", "error_line", "fail", "failures"]

PROGRAM = "integration-operator-sandbox"
NOT_RUNNING = 3
"""``status`` found a component that does not run; the code that init scripts use."""


def fail(message: object, code: int, detail: str = "") -> NoReturn:
    """Print the lines of a program, if any, then what is wrong in one line, and end with ``code``."""
    if detail:
        typer.echo(detail, err=True)
    typer.echo(error_line(sanitized(message, MAX_LINE)), err=True)
    raise typer.Exit(code)


def error_line(message: str) -> str:
    """Return a message that begins with the program's name."""
    return f"{PROGRAM}: {message}"


@contextmanager
def failures() -> Iterator[None]:
    """End the command with one line for each error that a user can correct."""
    try:
        yield
    except SandboxError as error:
        fail(error.message, NO_CLUSTER, error.detail)
    except KubeconfigInvalid as error:
        fail(error, WRONG_INPUT)
    except ClusterNotFound as error:
        fail(error, NO_CLUSTER)
    except OSError as error:  # such as a kubeconfig in a directory that may not be read
        if error.filename is None:
            raise
        fail(f"{display_name(error.filename)}: {os_error_reason(error)}", WRONG_INPUT)
