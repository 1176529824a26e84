"""The entry points: ``integration-operator``, and ``kubectl-integration``, which kubectl runs as its plugin.

Every error ends the command with one line and an exit code of ``failure``, also one that nothing expected; ``--debug``
shows where it came from.
"""

from __future__ import annotations

import os
import shlex
import sys
from typing import NoReturn

from typer import Abort
from typer.exceptions import TyperException

from integration_operator.cli import app
from integration_operator.cli.failure import DEFECT, INTERRUPTED, WRONG_INPUT, said
from integration_operator.runtime.text import sanitized

DEBUG = "--debug"


def main() -> NoReturn:
    """Run ``integration-operator``."""
    _run("integration-operator", sys.argv[1:])


def kubectl_plugin() -> NoReturn:
    """Run ``kubectl integration``."""
    _run("kubectl integration", sys.argv[1:])


def _run(program: str, arguments: list[str]) -> NoReturn:
    debug = DEBUG in arguments
    words = [argument for argument in arguments if argument != DEBUG] or ["--help"]
    try:
        code = app(words, prog_name=program, standalone_mode=False)
    except TyperException as error:
        message, at = _usage(error)
        code = said(f"{message}; see {at or program} --help" if message else f"see {at or program} --help", WRONG_INPUT)
    except Abort:
        code = said("nothing is changed", INTERRUPTED)
    except Exception as error:
        if debug:
            raise
        what = sanitized(f"{type(error).__name__}: {error}")
        code = said(f"a defect of this program: {what}; run the command with {DEBUG} and report what it prints", DEFECT)
    sys.exit(code if isinstance(code, int) else 0)


def _usage(error: TyperException) -> tuple[str, str]:
    """Return what is wrong with the arguments, and the command that they are for."""
    context = getattr(error, "ctx", None)
    format_message = getattr(error, "format_message", None)
    message = format_message() if format_message is not None else str(error)
    return str(message).rstrip("."), context.command_path if context is not None else ""


def kubectl_completion() -> NoReturn:
    """Complete ``kubectl integration``: kubectl runs ``kubectl_complete-integration`` with the words so far.

    It expects one candidate a line, and a directive last (k8s.io/kubectl, pkg/cmd/plugin/plugin_completion.go); 4 means
    no file names.
    """
    words = sys.argv[1:] or [""]
    os.environ |= {
        "_INTEGRATION_OPERATOR_COMPLETE": "complete_bash",
        "COMP_WORDS": shlex.join(["integration-operator", *words]),
        "COMP_CWORD": str(len(words)),
    }
    try:
        app(prog_name="integration-operator")
    except SystemExit:
        print(":4")
        raise
    sys.exit(0)
