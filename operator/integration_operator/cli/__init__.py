"""The command line: one module a command, each thin."""

from __future__ import annotations

from collections.abc import Callable

import typer

from integration_operator import __version__
from integration_operator.cli.confirm_deletion import confirm_deletion
from integration_operator.cli.crds import crds
from integration_operator.cli.diff import diff
from integration_operator.cli.doctor import doctor
from integration_operator.cli.events import events
from integration_operator.cli.explain import explain
from integration_operator.cli.flags import command_with_settings
from integration_operator.cli.get import get
from integration_operator.cli.migrate import migrate
from integration_operator.cli.render import render
from integration_operator.cli.rotate import rotate
from integration_operator.cli.run import CONNECTION_CONTROLLER_SETTINGS, connection_controller, run
from integration_operator.cli.switches import disable, enable, resume, suspend
from integration_operator.cli.test import check
from integration_operator.cli.tree import tree
from integration_operator.cli.uninstall import uninstall

app = typer.Typer(
    name="integration-operator",
    help="Pair EnMasse AddressSpaces with Syndesis, and create a MessagingUser and a connection for each pair.",
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,  # help as other tools of the field print it: plain, also in a pipe
    pretty_exceptions_show_locals=False,  # locals hold credentials
)
COMMANDS: dict[str, Callable[..., None]] = {
    "get": get,
    "explain": explain,
    "tree": tree,
    "events": events,
    "test": check,
    "enable": enable,
    "disable": disable,
    "suspend": suspend,
    "resume": resume,
    "rotate": rotate,
    "migrate": migrate,
    "diff": diff,
    "render": render,
    "doctor": doctor,
    "confirm-deletion": confirm_deletion,
    "uninstall": uninstall,
    "crds": crds,
}
"""The commands in the order of ``--help``: what is used all day comes first."""

for name, command in COMMANDS.items():
    app.command(name)(command)
app.command()(command_with_settings(run))
app.command()(command_with_settings(connection_controller, CONNECTION_CONTROLLER_SETTINGS))


def _version(show: bool) -> None:
    if show:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Print the version and exit."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show where a defect came from. Any command takes it."),
) -> None:
    """Pair EnMasse AddressSpaces with Syndesis, and create a MessagingUser and a connection for each pair."""
