"""Output of the commands: lines that are safe for a terminal, and a quiet end if the reader closes the pipe.

Names, annotations and messages of tenants are printed here. An escape sequence in one of them would rewrite the user's
terminal.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import typer

from integration_operator.runtime.text import sanitized

DOCUMENTS = ("json", "yaml")
"""The formats of ``print_documents``."""

MAX_LINE = 4096
"""Bytes of one printed line: four messages of other systems at their limit."""


def say(line: object, *, indent: int = 0) -> None:
    """Print one line without control characters."""
    echo(" " * indent + sanitized(line, MAX_LINE) + "\n")


def coloured(line: str, colour: str) -> None:
    """Print one line that is safe in a colour, if stdout is a terminal and ``NO_COLOR`` is not set (no-color.org)."""
    plain = not colour or not sys.stdout.isatty() or os.environ.get("NO_COLOR")
    echo((line if plain else typer.style(line, fg=colour)) + "\n")


def echo(text: str) -> None:
    """Print text that is safe, such as YAML or JSON; end by SIGPIPE, as other tools do, if the reader is gone.

    Python ignores SIGPIPE, as it must for sockets: only a closed standard output ends the process.
    """
    try:
        typer.echo(text, nl=False)
    except BrokenPipeError:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.raise_signal(signal.SIGPIPE)


def print_documents(documents: list[dict[str, Any]], output: str, *, as_list: bool) -> None:
    """Print objects in one of ``DOCUMENTS`` as kubectl does: one as itself, several as a list, no managed fields."""
    from integration_operator.api.schema import to_yaml

    for document in documents:
        document["metadata"].pop("managedFields", None)
    shown = {"apiVersion": "v1", "kind": "List", "items": documents} if as_list else documents[0]
    echo(json.dumps(shown, indent=2, ensure_ascii=True) + "\n" if output == "json" else to_yaml(shown))
