"""``integration-operator demo``: the life of a pair on this machine."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

from integration_operator.cli.failure import DEFECT, NO_CLUSTER, WRONG_INPUT, fail

INTERRUPTED = 130


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running afterwards, until Ctrl-C.")] = False,
    kubeconfig: Annotated[
        Path | None, typer.Option(help="A cluster that is there already, without EnMasse and Syndesis.")
    ] = None,
    delivery: Annotated[
        str, typer.Option(help="How the connection reaches Syndesis: native, rest or connection-controller.")
    ] = "native",
) -> None:
    """Show the life of a pair on a local control plane, with simulated platforms, and check each step."""
    if delivery not in ("native", "rest", "connection-controller"):
        fail(f"--delivery: {delivery!r} is none of native, rest, connection-controller", WRONG_INPUT)
    if kubeconfig is not None and delivery == "connection-controller":
        fail("--delivery connection-controller runs on a control plane of its own only", WRONG_INPUT)
    import structlog

    from integration_operator.localcluster import demo as story
    from integration_operator.localcluster.errors import LocalClusterError

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # the story speaks for itself
    # A shell that starts us in the background has us ignore it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        story.run(keep=keep, kubeconfig=kubeconfig, delivery=delivery)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        typer.echo("\nStopped; nothing is left running.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except LocalClusterError as error:
        if error.detail:
            typer.echo(error.detail, err=True)
        fail(error.message, NO_CLUSTER)
    except story.StepFailed as error:
        typer.echo(f"integration-operator: {error}", err=True)
        raise typer.Exit(DEFECT) from None
