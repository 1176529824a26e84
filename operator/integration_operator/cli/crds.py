"""``integration-operator crds``: the CustomResourceDefinitions of this version, for a cluster or a repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from integration_operator.api import schema

Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", file_okay=False, help="Write one file a kind into this directory instead."),
]


def crds(output: Output = None) -> None:
    """Print the CustomResourceDefinitions of the operator's kinds, ready for `kubectl apply -f -`."""
    if output is None:
        for _, text in schema.manifests():
            typer.echo(f"---\n{text}", nl=False)
        return
    output.mkdir(parents=True, exist_ok=True)
    for name, text in schema.manifests():
        path = output / name
        path.write_text(text, encoding="utf-8")
        typer.echo(f"wrote {path}")
