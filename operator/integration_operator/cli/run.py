"""``integration-operator run``: the operator itself."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from integration_operator.cli.serving import flag, serve
from integration_operator.settings import Settings


def run(
    config: Annotated[Path | None, typer.Option(help="YAML file with settings.")] = None,
    kubeconfig: Annotated[Path | None, flag("kubeconfig")] = None,
    context: Annotated[str | None, flag("context")] = None,
    templates: Annotated[Path | None, flag("templates")] = None,
    profile: Annotated[str | None, flag("profile")] = None,
    pairing_rules: Annotated[str | None, flag("pairing_rules")] = None,
    address_spaces: Annotated[str | None, flag("address_spaces")] = None,
    user_delivery: Annotated[str | None, flag("user_delivery")] = None,
    connection_delivery: Annotated[str | None, flag("connection_delivery")] = None,
    poll_seconds: Annotated[float | None, flag("poll_seconds")] = None,
    verification_seconds: Annotated[float | None, flag("verification_seconds")] = None,
    give_up_seconds: Annotated[float | None, flag("give_up_seconds")] = None,
    syndesis_url: Annotated[str | None, flag("syndesis_url")] = None,
    enmasse_namespace: Annotated[str | None, flag("enmasse_namespace")] = None,
    enmasse_release: Annotated[str | None, flag("enmasse_release")] = None,
    keycloak_url: Annotated[str | None, flag("keycloak_url")] = None,
    enable_new: Annotated[bool | None, flag("enable_new")] = None,
    allow_keycloak: Annotated[bool | None, flag("allow_keycloak")] = None,
    most_offers: Annotated[int | None, flag("most_offers")] = None,
    answer_bytes: Annotated[int | None, flag("answer_bytes")] = None,
    list_bytes: Annotated[int | None, flag("list_bytes")] = None,
    answer_seconds: Annotated[float | None, flag("answer_seconds")] = None,
    page_bytes: Annotated[int | None, flag("page_bytes")] = None,
    workers: Annotated[int | None, flag("workers")] = None,
    qps: Annotated[float | None, flag("qps")] = None,
    burst: Annotated[int | None, flag("burst")] = None,
    resync_seconds: Annotated[float | None, flag("resync_seconds")] = None,
    mass_delete_share: Annotated[float | None, flag("mass_delete_share")] = None,
    probe_port: Annotated[int | None, flag("probe_port")] = None,
    metrics_port: Annotated[int | None, flag("metrics_port")] = None,
    bind_address: Annotated[str | None, flag("bind_address")] = None,
    shutdown_seconds: Annotated[float | None, flag("shutdown_seconds")] = None,
    log_level: Annotated[str | None, flag("log_level")] = None,
    log_format: Annotated[str | None, flag("log_format")] = None,
) -> None:
    """Run the operator until SIGTERM.

    A flag overrides the environment variable INTEGRATION_OPERATOR_<NAME>, that the file of --config.
    """
    serve({name: value for name, value in locals().items() if name != "config"}, config, _operator)


async def _operator(settings: Settings) -> None:
    from integration_operator.assembly import Operator, client_of
    from integration_operator.host import serve as host
    from integration_operator.rendering.templates import TemplateFiles

    templates = TemplateFiles(settings.templates)
    templates.check()
    async with client_of(settings) as client:
        await host(Operator(client, templates, settings), settings)
