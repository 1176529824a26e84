"""Flags: those of the settings are made from the settings themselves, so that each is described once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer

from integration_operator.cli.failure import WRONG_INPUT, fail, one_line
from integration_operator.settings import Settings, load

TYPES: tuple[type, ...] = (bool, int, float, Path)
"""Types of flags that typer parses. Every other setting is text, which the settings parse."""


def check_output(output: str, formats: Sequence[str] = ("text", "json")) -> None:
    """End the command if it does not print in this format."""
    if output not in formats:
        fail(f"--output must be {', '.join(formats[:-1])} or {formats[-1]} (got {output})", WRONG_INPUT)


def option(name: str) -> Any:
    """Return the flag of a setting: its description, the values that it may have, and its default."""
    setting = Settings.model_fields[name]
    help_ = str(setting.description)
    if get_origin(setting.annotation) is Literal:
        help_ += f" One of {', '.join(get_args(setting.annotation))}."
    if setting.default is not None and not isinstance(setting.default, bool):
        default = setting.default
        help_ += f" Default: {','.join(default) if isinstance(default, tuple) else default}."
    return typer.Option(help=help_, show_default=False)


Config = Annotated[Path | None, typer.Option("--config", help="YAML file with the operator's settings.")]
Kubeconfig = Annotated[Path | None, option("kubeconfig")]
Context = Annotated[str | None, option("context")]
EnMasseNamespace = Annotated[str | None, option("enmasse_namespace")]
PairingRules = Annotated[str | None, option("pairing_rules")]
Templates = Annotated[Path | None, option("templates")]
Output = Annotated[str, typer.Option("-o", "--output", help="text or json")]
UserDelivery = Annotated[str | None, option("user_delivery")]
ConnectionDelivery = Annotated[str | None, option("connection_delivery")]


def command_with_settings(
    run: Callable[[Settings], None], names: Iterable[str] = tuple(Settings.model_fields)
) -> Callable[..., None]:
    """Return a command that calls ``run`` with the settings; its flags are ``--config`` and the named settings."""
    annotations: dict[str, Any] = {"config": Config}
    annotations |= {name: Annotated[_type_of(name) | None, option(name)] for name in names}

    def command(config: Path | None = None, **flags: Any) -> None:
        with one_line():
            settings = load(flags, config)
        run(settings)

    command.__name__, command.__doc__ = run.__name__, run.__doc__
    command.__annotations__ = annotations
    command.__signature__ = Signature(  # type: ignore[attr-defined]
        [
            Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
            for name, annotation in annotations.items()
        ]
    )
    return command


def _type_of(name: str) -> type:
    annotation = Settings.model_fields[name].annotation
    candidates = (annotation, *get_args(annotation))
    return next((type_ for type_ in TYPES if type_ in candidates), str)
