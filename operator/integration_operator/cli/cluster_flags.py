"""The flags of the commands that look at a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from integration_operator.settings import Settings

Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        help="Kubeconfig file. Default: the files of $KUBECONFIG, ~/.kube/config, the pod's service account.",
    ),
]
Context = Annotated[
    str | None, typer.Option("--context", help="Context of the kubeconfig. Default: its current context.")
]
EnMasseNamespace = Annotated[
    str,
    typer.Option("--enmasse-namespace", help="EnMasse's own namespace, in which it keeps AddressSpaces up to 0.30."),
]
ENMASSE_NAMESPACE: str = Settings.model_fields["enmasse_namespace"].default
