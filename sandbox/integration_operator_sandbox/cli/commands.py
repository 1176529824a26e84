"""``integration-operator-sandbox``: a control plane on this machine that outlives the command that started it."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from pathlib import Path
from typing import Annotated

import typer

from integration_operator.cli.failure import NO_CLUSTER, WRONG_INPUT, fail
from integration_operator_sandbox import binaries
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.errors import LocalClusterError
from integration_operator_sandbox.toolchain import find_go

NOT_RUNNING = 3
"""Exit code of ``status`` where not all runs, as of an init script."""

app = typer.Typer(
    name="integration-operator-sandbox",
    help="A control plane on this machine: etcd, kube-apiserver and the garbage collector, on loopback, without nodes.",
    no_args_is_help=True,
)

Name = Annotated[str, typer.Option(help="Which one; any number run beside each other.")]


@app.command()
def up(name: Name = "default") -> None:
    """Start it, built first where needed, and say how to reach it. One that runs is left as it is."""
    try:
        plane = ControlPlane.start(_directory(name), detached=True)
    except LocalClusterError as error:
        if error.detail:
            typer.echo(error.detail, err=True)
        fail(error.message, NO_CLUSTER)
    kubeconfig = plane.kubeconfig()
    typer.echo(f"The control plane {name!r} runs: {plane.server}")
    typer.echo(f"kubeconfig: {kubeconfig}")
    typer.echo(f"export KUBECONFIG={kubeconfig}")


@app.command()
def down(
    name: Name = "default",
    delete: Annotated[bool, typer.Option("--delete", help="Remove what it has stored, too.")] = False,
) -> None:
    """Stop it. What it has stored stays for the next `up`."""
    plane = _attach(name)
    if plane is None:
        typer.echo(f"The control plane {name!r} is not there.")
        return
    plane.stop()
    if delete:
        shutil.rmtree(plane.directory, ignore_errors=True)
    typer.echo(f"The control plane {name!r} is stopped" + (" and removed." if delete else "."))


@app.command()
def status(name: Name = "default") -> None:
    """Say of each component whether it runs; exit code 3 where not all do."""
    plane = _attach(name)
    if plane is None:
        typer.echo(f"The control plane {name!r} is not there.")
        raise typer.Exit(NOT_RUNNING)
    components = plane.components()
    for component, runs in components.items():
        typer.echo(f"{component:<24} {'running' if runs else 'dead'}")
    if not all(components.values()):
        raise typer.Exit(NOT_RUNNING)
    typer.echo(f"{'server':<24} {plane.server}")
    typer.echo(f"{'kubeconfig':<24} {plane.kubeconfig()}")


@app.command()
def build() -> None:
    """Build its programs, where they are not built yet, and say where they are; fetch Keycloak, for the tests.

    Keycloak needs Java and Maven. Without them only the tests that need it miss something, and say so.
    """
    from integration_operator_sandbox.errors import ToolchainMissing
    from integration_operator_sandbox.keycloak import distribution

    try:
        typer.echo(f"The programs of the control plane: {binaries.provide().directory}")
        try:
            typer.echo(f"Keycloak: {distribution.provide()}")
        except ToolchainMissing as error:
            typer.echo(f"No Keycloak: {error.message}")
    except LocalClusterError as error:
        if error.detail:
            typer.echo(error.detail, err=True)
        fail(error.message, NO_CLUSTER)


@app.command()
def syndesis(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where it listens on loopback; 0 is any free port.")] = 0,
    release: Annotated[str, typer.Option(help="The release of Syndesis whose ways it has.")] = "1.13.2",
) -> None:
    """Run a SIMULATION of a Syndesis server until Ctrl-C: it keeps connections in memory and integrates nothing."""
    from integration_operator_sandbox.syndesis_server import SyndesisServer

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with SyndesisServer.running(port=port, release=release) as server:
            typer.echo(f"A simulation of Syndesis {server.release} listens: {server.url}/api/v1")
            typer.echo("It integrates nothing, and forgets everything when it ends. Ctrl-C ends it.")
            await stop.wait()

    try:
        asyncio.run(serve())
    except OSError as error:
        fail(f"--port {port}: {error.strerror or error}", WRONG_INPUT)


@app.command()
def toolchain() -> None:
    """Say what would build its programs; exit code 4 where nothing can."""
    try:
        found = binaries.locate()
        typer.echo(f"built already: {found.directory}" if found else f"Go: {find_go(binaries.go_version())}")
    except LocalClusterError as error:
        fail(error.message, NO_CLUSTER)


def _attach(name: str) -> ControlPlane | None:
    try:
        return ControlPlane.attach(_directory(name))
    except LocalClusterError as error:
        fail(error.message, NO_CLUSTER)


def _directory(name: str) -> Path:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name):
        fail(f"--name {name!r}: lower-case letters, digits and hyphens only", WRONG_INPUT)
    root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(root) / "integration-operator" / "local" / name
