"""``integration-operator run``: the operator itself."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from integration_operator.cli.failure import DEFECT, NO_CLUSTER, WRONG_INPUT, fail
from integration_operator.domain.desired import TemplateRefused
from integration_operator.settings import Settings, SettingsError, load


def _flag(name: str) -> Any:
    """The flag of a setting, with the setting's own description."""
    return typer.Option(help=Settings.model_fields[name].description, show_default=False)


def run(
    config: Annotated[Path | None, typer.Option(help="YAML file of settings.")] = None,
    kubeconfig: Annotated[Path | None, _flag("kubeconfig")] = None,
    context: Annotated[str | None, _flag("context")] = None,
    templates: Annotated[Path | None, _flag("templates")] = None,
    profile: Annotated[str | None, _flag("profile")] = None,
    pairing_rules: Annotated[str | None, _flag("pairing_rules")] = None,
    address_spaces: Annotated[str | None, _flag("address_spaces")] = None,
    user_delivery: Annotated[str | None, _flag("user_delivery")] = None,
    connection_delivery: Annotated[str | None, _flag("connection_delivery")] = None,
    poll_seconds: Annotated[float | None, _flag("poll_seconds")] = None,
    verification_seconds: Annotated[float | None, _flag("verification_seconds")] = None,
    give_up_seconds: Annotated[float | None, _flag("give_up_seconds")] = None,
    syndesis_url: Annotated[str | None, _flag("syndesis_url")] = None,
    enmasse_namespace: Annotated[str | None, _flag("enmasse_namespace")] = None,
    keycloak_url: Annotated[str | None, _flag("keycloak_url")] = None,
    enable_new: Annotated[bool | None, typer.Option("--enable-new/--no-enable-new", show_default=False)] = None,
    workers: Annotated[int | None, _flag("workers")] = None,
    qps: Annotated[float | None, _flag("qps")] = None,
    burst: Annotated[int | None, _flag("burst")] = None,
    resync_seconds: Annotated[float | None, _flag("resync_seconds")] = None,
    mass_delete_share: Annotated[float | None, _flag("mass_delete_share")] = None,
    probe_port: Annotated[int | None, _flag("probe_port")] = None,
    metrics_port: Annotated[int | None, _flag("metrics_port")] = None,
    bind_address: Annotated[str | None, _flag("bind_address")] = None,
    shutdown_seconds: Annotated[float | None, _flag("shutdown_seconds")] = None,
    log_level: Annotated[str | None, _flag("log_level")] = None,
    log_format: Annotated[str | None, _flag("log_format")] = None,
) -> None:
    """Run the operator until SIGTERM."""
    flags = {name: value for name, value in locals().items() if name != "config"}
    try:
        settings = load(flags, config)
    except SettingsError as error:
        fail(error, WRONG_INPUT)
    from integration_operator import host  # the clients' libraries are slow to load: not for a wrong flag
    from integration_operator.kube.client import NoCluster
    from integration_operator.observability import logging

    logging.configure(settings.log_level, settings.log_format)
    if settings.kubeconfig is None and (path := os.environ.get("KUBECONFIG")):
        settings = settings.model_copy(update={"kubeconfig": Path(path)})
    try:
        asyncio.run(host.run(settings))
    except TemplateRefused as error:
        fail(error, WRONG_INPUT)
    except NoCluster as error:
        fail(error, NO_CLUSTER)
    except host.EngineStopped as error:
        fail(error, DEFECT)
