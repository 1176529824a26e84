"""How a command ends if it cannot do what was asked: one line, and an exit code that programs can tell apart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from integration_operator.cli.output import LONGEST_LINE
from integration_operator.domain.plan.manifests import TemplateRefused
from integration_operator.runtime.kubeconfig import ClusterNotFound, KubeconfigInvalid
from integration_operator.runtime.text import sanitized
from integration_operator.runtime.yaml_documents import UnreadableFile, display_name, os_error_reason
from integration_operator.settings import SettingsError

DEFECT = 1
"""Something happened that must not."""
WRONG_INPUT = 2
"""A flag, a setting, a template or a file is wrong."""
NO_PAIR = 3
"""Everything was read, and there is no pair in it."""
NO_CLUSTER = 4
"""The cluster cannot be reached, or does not allow what was asked."""
UNFINISHED = 5
"""What was asked for goes on, and was not done in time."""


def fail(message: object, code: int) -> NoReturn:
    """Print what is wrong in one line and end with ``code``."""
    typer.echo(f"integration-operator: {sanitized(message, LONGEST_LINE)}", err=True)
    raise typer.Exit(code)


@contextmanager
def one_line() -> Iterator[None]:
    """End the command with one line for everything that a user can get wrong."""
    try:
        yield
    except (UnreadableFile, SettingsError, TemplateRefused, KubeconfigInvalid) as error:
        fail(error, WRONG_INPUT)
    except ClusterNotFound as error:
        fail(error, NO_CLUSTER)
    except OSError as error:  # a path that cannot even be looked at: its name is too long, a directory is closed
        if error.filename is None:
            raise
        fail(f"{display_name(error.filename)}: {os_error_reason(error)}", WRONG_INPUT)
