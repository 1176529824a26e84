"""``integration-operator-sandbox demo``: the life of a pair."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from integration_operator.runtime.kubeconfig import find
from integration_operator_sandbox.cli.failure import DEFECT, WRONG_INPUT, error_line, fail, failures

INTERRUPTED = 130


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Keep everything running afterwards, until Ctrl-C.")] = False,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(
            help="Kubeconfig file of an existing cluster without EnMasse and Syndesis. Default: start a control plane."
        ),
    ] = None,
    context: Annotated[
        str | None, typer.Option(help="Context of the kubeconfig. Default: its current context.")
    ] = None,
    delivery: Annotated[
        str, typer.Option(help="Delivery of the connection: native, rest or connection-controller.")
    ] = "native",
    broker: Annotated[
        bool, typer.Option("--broker", help="Run a real broker, and send a message through it at the end.")
    ] = False,
) -> None:
    """Show the life of a pair on a control plane with simulated platforms, and check each step."""
    if delivery not in ("native", "rest", "connection-controller"):
        fail(f"--delivery must be native, rest or connection-controller (got {delivery})", WRONG_INPUT)
    if context is not None and kubeconfig is None:
        fail("--context needs --kubeconfig: without it the demo starts its own control plane", WRONG_INPUT)
    if kubeconfig is not None and delivery == "connection-controller":
        fail("--delivery connection-controller does not work with --kubeconfig", WRONG_INPUT)
    import structlog

    from integration_operator_sandbox.demo import StepFailed, run

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))  # the demo prints its own steps
    # A shell ignores SIGINT in processes that it starts in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        with failures(), _one_file(kubeconfig, context) as file:
            run(keep=keep, kubeconfig=file, delivery=delivery, with_broker=broker)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        typer.echo("\nStopped; nothing keeps running.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    except StepFailed as error:
        typer.echo(error_line(str(error)), err=True)
        raise typer.Exit(DEFECT) from None


@contextmanager
def _one_file(kubeconfig: Path | None, context: str | None) -> Iterator[Path | None]:
    """Yield a kubeconfig whose current context is the chosen one, for all processes that the demo starts."""
    if kubeconfig is None:
        yield None
        return
    found = find(kubeconfig, context)
    assert found is not None
    if context is None:
        yield kubeconfig
        return
    with tempfile.TemporaryDirectory(prefix="integration-operator-") as directory:
        file = Path(directory) / "kubeconfig"
        file.touch(mode=0o600)
        file.write_text(json.dumps(found.document), encoding="utf-8")
        yield file
