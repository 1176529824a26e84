"""What the commands that run until SIGTERM have in common: settings, logs, and how they end."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import typer

from integration_operator.cli.failure import DEFECT, NO_CLUSTER, WRONG_INPUT, fail
from integration_operator.domain.desired import TemplateRefused
from integration_operator.settings import Settings, SettingsError, load


def flag(name: str) -> Any:
    """The flag of a setting, with the setting's own description."""
    return typer.Option(help=Settings.model_fields[name].description, show_default=False)


def serve(flags: dict[str, Any], config: Path | None, process: Callable[[Settings], Awaitable[None]]) -> None:
    """Run a process with the settings in force, and say in one line what ended it."""
    try:
        settings = load(flags, config)
    except SettingsError as error:
        fail(error, WRONG_INPUT)
    from integration_operator.host import EngineStopped  # the clients' libraries are slow to load: not for a wrong flag
    from integration_operator.kube.client import NoCluster
    from integration_operator.observability import logging

    logging.configure(settings.log_level, settings.log_format)
    if settings.kubeconfig is None and (path := os.environ.get("KUBECONFIG")):
        settings = settings.model_copy(update={"kubeconfig": Path(path)})

    async def running() -> None:
        await process(settings)

    try:
        asyncio.run(running())
    except TemplateRefused as error:
        fail(error, WRONG_INPUT)
    except NoCluster as error:
        fail(error, NO_CLUSTER)
    except EngineStopped as error:
        fail(error, DEFECT)
