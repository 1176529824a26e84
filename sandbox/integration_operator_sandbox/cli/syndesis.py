"""``integration-operator-sandbox syndesis``: a simulated Syndesis server."""

from __future__ import annotations

import asyncio
import signal
from typing import Annotated

import typer

from integration_operator_sandbox.cli.failure import WRONG_INPUT, fail


def syndesis(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on loopback. 0: any free port.")] = 0,
    release: Annotated[str, typer.Option(help="Release of Syndesis to simulate.")] = "1.13.2",
) -> None:
    """Run a SIMULATION of a Syndesis server until Ctrl-C. It keeps connections in memory and integrates nothing."""
    from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with SyndesisServer.running(port=port, release=release) as server:
            typer.echo(f"A simulation of Syndesis {server.release} listens: {server.url}/api/v1")
            typer.echo("It integrates nothing, and loses its connections when it ends. Press Ctrl-C to end it.")
            await stop.wait()

    try:
        asyncio.run(serve())
    except OSError as error:
        fail(f"--port {port}: {error.strerror or error}", WRONG_INPUT)
