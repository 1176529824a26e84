"""Commands for a control plane that keeps running when the command ends."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from integration_operator_sandbox import companions
from integration_operator_sandbox.cli.failure import NOT_RUNNING, WRONG_INPUT, fail, failures
from integration_operator_sandbox.controlplane import ControlPlane, binaries
from integration_operator_sandbox.controlplane.toolchain import find_go
from integration_operator_sandbox.deployment import install_all
from integration_operator_sandbox.errors import ToolchainMissing
from integration_operator_sandbox.examples import SPACE_AND_SYNDESIS, enable_command

Name = Annotated[str, typer.Option(help="Name of the control plane. Several can run at the same time.")]


def up(
    name: Name = "default",
    platforms: Annotated[
        bool,
        typer.Option(
            "--platforms",
            help="Also install the kinds of EnMasse, Syndesis and the operator, "
            "and start simulations of EnMasse and Syndesis, and the operator.",
        ),
    ] = False,
    operator: Annotated[
        bool,
        typer.Option(help="With --platforms: start the operator. --no-operator: run one of your own."),
    ] = True,
) -> None:
    """Start a control plane and print its kubeconfig. One that runs already is left as it is.

    The first start builds the programs, which takes minutes. `down` stops everything that `up` has started.
    """
    directory = _directory(name)
    with failures():
        installed: list[ControlPlane] = []

        def install(plane: ControlPlane) -> None:
            install_all(plane)
            installed.append(plane)

        plane = ControlPlane.start(directory, detached=True, before_controllers=install if platforms else None)
        if platforms:
            _start_platforms(plane, installed=bool(installed), with_operator=operator)
    typer.echo(f"Control plane {name} is running: {plane.server}")
    typer.echo(f"kubeconfig: {plane.kubeconfig()}")
    if platforms:
        _print_next_steps(plane, name, with_operator=operator)
    else:
        typer.echo(f"export KUBECONFIG={shlex.quote(str(plane.kubeconfig()))}")


def down(
    name: Name = "default",
    delete: Annotated[bool, typer.Option("--delete", help="Also delete everything that it has stored.")] = False,
) -> None:
    """Stop a control plane, and the platforms and the operator that `up` has started with it.

    What it has stored is kept for the next `up`.
    """
    plane = _attach(name)
    if plane is None:
        typer.echo(f"Control plane {name} does not exist.")
        return
    with failures():
        plane.stop()
    if delete:
        shutil.rmtree(plane.directory, ignore_errors=True)
    typer.echo(f"Control plane {name} is stopped" + (" and deleted." if delete else "."))


def status(name: Name = "default") -> None:
    """Print whether each process of a control plane runs. Exit code 3: not all do."""
    plane = _attach(name)
    if plane is None:
        typer.echo(f"Control plane {name} does not exist.")
        raise typer.Exit(NOT_RUNNING)
    components = plane.components()
    for component, runs in components.items():
        typer.echo(f"{component:<24} {'running' if runs else 'dead'}")
    if not all(components.values()):
        raise typer.Exit(NOT_RUNNING)
    typer.echo(f"{'server':<24} {plane.server}")
    typer.echo(f"{'kubeconfig':<24} {plane.kubeconfig()}")


def build() -> None:
    """Build the programs of the control plane and fetch Keycloak and Artemis, unless they are cached. Print where.

    Only tests, and a demo with a broker, need the last two. They need Java and Maven; without them they are left out,
    and the output says so.
    """
    from integration_operator_sandbox.broker.distribution import ARTEMIS
    from integration_operator_sandbox.platforms.keycloak import distribution

    with failures():
        typer.echo(f"Control plane: {binaries.provide().directory}")
        try:
            typer.echo(f"Keycloak: {distribution.provide()}")
            typer.echo(f"Artemis: {ARTEMIS.provide()}")
        except ToolchainMissing as error:
            typer.echo(f"No Keycloak and no Artemis: {error.message}")


def toolchain() -> None:
    """Print which Go would build the programs, or that they are built. Exit code 4: there is no Go."""
    with failures():
        located = binaries.locate()
        typer.echo(f"built: {located.directory}" if located else f"Go: {find_go(binaries.go_version())}")


def _start_platforms(plane: ControlPlane, *, installed: bool, with_operator: bool) -> None:
    """Start simulations and operator. On a control plane that ran before, install the kinds first."""
    if not installed and companions.PLATFORMS not in plane.components():
        install_all(plane)
        plane.restart_controller_manager()  # the garbage collector looks for new kinds every 30 s only
    plane.start_companion(companions.platforms(plane))
    if with_operator:
        plane.start_companion(companions.operator(plane))


def _print_next_steps(plane: ControlPlane, name: str, *, with_operator: bool) -> None:
    url = f"http://127.0.0.1:{plane.port(companions.PLATFORMS)}"
    example = plane.directory / "example.yaml"
    example.write_text(SPACE_AND_SYNDESIS, encoding="utf-8")
    typer.echo("EnMasse and Syndesis are SIMULATED: no message is transferred, and nothing is integrated.")
    headers = "-H 'X-Forwarded-User: me' -H 'X-Forwarded-Access-Token: any'"
    typer.echo(f"Simulated Syndesis server: curl {headers} {url}/api/v1/connections")
    if not with_operator:
        typer.echo("\nStart your operator with its service account's permissions:\n")
        kubeconfig = shlex.quote(str(plane.kubeconfig("operator")))
        typer.echo(f"  integration-operator run --kubeconfig {kubeconfig} --syndesis-url {url}")
    typer.echo("\nTry it:\n")
    for line in (
        f"export KUBECONFIG={shlex.quote(str(plane.kubeconfig('user')))}",
        f"kubectl apply -f {shlex.quote(str(example))}",
        "kubectl get integrations -n shop",
        enable_command(),
        "kubectl get addressspaces,integrations,messagingusers,connections,secrets -n shop",
    ):
        typer.echo(f"  {line}")
    suffix = "" if name == "default" else f" --name {name}"
    typer.echo(f"\nStop everything: integration-operator-sandbox down{suffix}")


def _attach(name: str) -> ControlPlane | None:
    with failures():
        return ControlPlane.attach(_directory(name))


def _directory(name: str) -> Path:
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name):
        fail(f"--name {name!r}: use lower-case letters, digits and hyphens only", WRONG_INPUT)
    root = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(root) / "integration-operator" / "local" / name
