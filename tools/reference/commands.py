"""docs/reference/commands.md: every command with its flags, from the parser of the command line."""

from __future__ import annotations

import re
from typing import Any

import typer

from integration_operator.cli import app
from integration_operator.settings import Settings
from tools.reference.markdown import GENERATED, code, codes, table

HEAD = f"""\
# Commands and flags

{GENERATED.format(source="operator/integration_operator/cli")}
What `--help` prints. [Command line](../command-line.md) says what each command is for, and which permissions it needs.

"""

OF_SETTINGS = ("run", "connection-controller")
"""Commands whose flags are the settings, which have a page of their own."""

FLAG = re.compile(r"(?P<names>--?[\w-]+(?:(?:, | / )--?[\w-]+)*)(?: (?P<value>.+))?")
"""What the parser prints of a flag: its names, and its value."""


def page() -> str:
    """Return the text of the page."""
    group: Any = typer.main.get_command(app)
    context = group.context_class(group, info_name=group.name)
    sections = (_section(name, command, context) for name, command in group.commands.items())
    own = _table(group, context, leave_out=set())
    return f"{HEAD}## All commands\n\n`-h`, or `--help`, is a flag of each command.\n\n{own}{''.join(sections)}"


def _section(name: str, command: Any, parent: Any) -> str:
    context = command.context_class(command, info_name=name, parent=parent)
    usage = " ".join([parent.info_name, name, *command.collect_usage_pieces(context)])
    text = f"\n## {name}\n\n{command.help.rstrip()}\n\n```text\n{usage}\n```\n\n"
    settings = [parameter.name for parameter in command.params if parameter.name in Settings.model_fields]
    if name not in OF_SETTINGS:
        return text + _table(command, context, leave_out=set())
    text += _table(command, context, leave_out=set(settings))
    if set(settings) == set(Settings.model_fields):
        return f"{text}\nEach [setting](settings.md) is a flag, too.\n"
    return f"{text}\nThese [settings](settings.md) are flags, too: {codes(settings)}.\n"


def _table(command: Any, context: Any, leave_out: set[str]) -> str:
    parameters = [parameter for parameter in command.params if parameter.name not in leave_out]
    rows = [_row(*record) for parameter in parameters if (record := parameter.get_help_record(context))]
    return table(("flag or argument", "value", "meaning"), rows)


def _row(usage: str, meaning: str) -> tuple[str, str, str]:
    flag = FLAG.fullmatch(usage)
    if flag is None:  # an argument, with its type
        return code(usage.split()[0]), "", meaning
    value = (flag["value"] or "").strip("<>")
    return codes(re.split(", | / ", flag["names"])), code(value) if value else "", meaning
