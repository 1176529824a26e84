"""What commands print: lines that are safe for a terminal, and a quiet end if nobody reads on.

Names, annotations and messages of tenants pass through here; an escape sequence in one of them would rewrite the
reader's terminal.
"""

from __future__ import annotations

import signal

import typer

from integration_operator.runtime.text import sanitized

LONGEST_LINE = 4096
"""Bytes of one printed line: four foreign texts of the longest kind."""


def say(line: object, *, indent: int = 0) -> None:
    """Print one line without control characters."""
    echo(" " * indent + sanitized(line, LONGEST_LINE) + "\n")


def echo(text: str) -> None:
    """Print text that is safe as it is, such as YAML or JSON; die of SIGPIPE as other tools do if the reader is gone.

    Python ignores SIGPIPE, and so it must while there are sockets; only standard output ends the process.
    """
    try:
        typer.echo(text, nl=False)
    except BrokenPipeError:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.raise_signal(signal.SIGPIPE)
