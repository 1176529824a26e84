"""``integration-operator connection-controller``: Connection resources, reconciled on the Syndesis servers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from integration_operator.cli.serving import flag, serve
from integration_operator.settings import Settings


def connection_controller(
    config: Annotated[Path | None, typer.Option(help="YAML file with settings.")] = None,
    kubeconfig: Annotated[Path | None, flag("kubeconfig")] = None,
    context: Annotated[str | None, flag("context")] = None,
    workers: Annotated[int | None, flag("workers")] = None,
    verification_seconds: Annotated[float | None, flag("verification_seconds")] = None,
    syndesis_url: Annotated[str | None, flag("syndesis_url")] = None,
    probe_port: Annotated[int | None, flag("probe_port")] = None,
    metrics_port: Annotated[int | None, flag("metrics_port")] = None,
    bind_address: Annotated[str | None, flag("bind_address")] = None,
    shutdown_seconds: Annotated[float | None, flag("shutdown_seconds")] = None,
    log_level: Annotated[str | None, flag("log_level")] = None,
    log_format: Annotated[str | None, flag("log_format")] = None,
) -> None:
    """Reconcile Connection resources on the Syndesis servers until SIGTERM, as Syndesis issue 3692 asks."""
    serve({name: value for name, value in locals().items() if name != "config"}, config, _controller)


async def _controller(settings: Settings) -> None:
    from integration_operator.assembly import ConnectionControl, client_of
    from integration_operator.host import serve as host

    async with client_of(settings) as client:
        await host(ConnectionControl(client, settings), settings)
