"""How a command fails: with one line, and an exit code that programs can distinguish."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from integration_operator.cli.output import MAX_LINE
from integration_operator.domain.plan.manifests import TemplateRefused
from integration_operator.runtime.kubeconfig import ClusterNotFound, KubeconfigInvalid
from integration_operator.runtime.text import sanitized
from integration_operator.runtime.yaml_documents import UnreadableFile, display_name, os_error_reason
from integration_operator.settings import SettingsError

DIFFERENCE = 1
"""``diff`` found a difference, or ``doctor`` a problem."""
WRONG_INPUT = 2
"""A flag, a setting, a template or a file is invalid."""
NO_PAIR = 3
"""There is no pair in what was read."""
NO_CLUSTER = 4
"""The cluster cannot be reached, or refuses the request."""
UNFINISHED = 5
"""The operation was not finished in time, and continues."""
LEADERSHIP_LOST = 6
"""The process led and lost its Lease. It has to be started again."""
DEFECT = 70
"""A defect, or a process that stopped unexpectedly (``EX_SOFTWARE`` of sysexits.h)."""
INTERRUPTED = 130
"""The user ended the command, or declined its question."""


def said(message: object, code: int) -> int:
    """Print an error in one line, and return ``code``."""
    typer.echo(f"integration-operator: {sanitized(message, MAX_LINE)}", err=True)
    return code


NOT_WORKING = 7
"""The connection that was tested does not work."""


def fail(message: object, code: int) -> NoReturn:
    """Print an error in one line and exit with ``code``."""
    raise typer.Exit(said(message, code))


@contextmanager
def one_line() -> Iterator[None]:
    """End the command with one line for every error that a user can cause."""
    try:
        yield
    except (UnreadableFile, SettingsError, TemplateRefused, KubeconfigInvalid) as error:
        fail(error, WRONG_INPUT)
    except ClusterNotFound as error:
        fail(error, NO_CLUSTER)
    except OSError as error:  # a path that cannot be opened: its name is too long, or a directory is not readable
        if error.filename is None:
            raise
        fail(f"{display_name(error.filename)}: {os_error_reason(error)}", WRONG_INPUT)
