"""``integration-operator crds``: the CustomResourceDefinitions of this version, for a cluster or a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from integration_operator.cli.failure import WRONG_INPUT, fail
from integration_operator.cli.output import echo, say
from integration_operator.runtime.yaml_documents import os_error_reason

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", file_okay=False, help="Write one file for each kind into this directory."),
]


def crds(output: Output = None) -> None:
    """Print the CustomResourceDefinitions.

    They are those of this version, for `kubectl apply --server-side -f -`.
    """
    from integration_operator.api import schema

    if output is None:
        for _, text in schema.manifests():
            echo(f"---\n{text}")
        return
    for name, text in schema.manifests():
        path = output / name
        try:
            output.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            fail(f"--output {output}: {os_error_reason(error)}", WRONG_INPUT)
        say(f"wrote {path}")
