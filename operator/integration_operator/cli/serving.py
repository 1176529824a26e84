"""What the commands that run until SIGTERM have in common: settings, logs, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from integration_operator.cli.failure import DEFECT, WRONG_INPUT, fail, one_line
from integration_operator.settings import Settings, load


def flag(name: str) -> Any:
    """Return the flag of a setting: the setting's own description, the values that it may have, and its default."""
    setting = Settings.model_fields[name]
    help_ = str(setting.description)
    if get_origin(setting.annotation) is Literal:
        help_ += f" One of {', '.join(get_args(setting.annotation))}."
    if setting.default is not None and not isinstance(setting.default, bool):
        default = setting.default
        help_ += f" Default: {','.join(default) if isinstance(default, tuple) else default}."
    return typer.Option(help=help_, show_default=False)


def serve(flags: dict[str, Any], config: Path | None, process: Callable[[Settings], Awaitable[None]]) -> None:
    """Run a process with the settings in force, and say in one line what ended it."""
    with one_line():
        settings = load(flags, config)
        # The clients' libraries are slow to load: not for a wrong flag.
        from integration_operator.host import CannotListen, EngineStopped
        from integration_operator.observability import logging

        logging.configure(settings.log_level, settings.log_format)

        async def running() -> None:
            await process(settings)

        try:
            asyncio.run(running())
        except CannotListen as error:
            fail(error, WRONG_INPUT)
        except EngineStopped as error:
            fail(error, DEFECT)
