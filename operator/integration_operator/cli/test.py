"""``integration-operator test``: does the delivered connection work."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from integration_operator.api.schema import to_yaml
from integration_operator.cli import job
from integration_operator.cli.delivered import Delivery, read_credential, read_delivery
from integration_operator.cli.failure import NOT_WORKING, WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import Context, Kubeconfig, Output, check_output
from integration_operator.cli.next_steps import next_step
from integration_operator.cli.output import echo, say
from integration_operator.domain.model.credential import Credential
from integration_operator.messaging import Endpoint, Operation, Outcome, Step, Use, probe
from integration_operator.messaging.amqp import available
from integration_operator.messaging.uri import Server, parse_host_port, parse_uri
from integration_operator.settings import Settings, load

MARKS = {Outcome.PASSED: "✓", Outcome.FAILED: "✗", Outcome.NOT_TRIED: "-"}
MISSING = (
    "the test of a connection needs python-qpid-proton, which is not installed: "
    "pip install 'integration-operator[amqp]'"
)


def check(
    integration: Annotated[
        str | None, typer.Argument(metavar="NAME", help="NAME or NAMESPACE/NAME of an Integration.")
    ] = None,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Namespace of a NAME. Default: the context's.")
    ] = None,
    address: Annotated[
        str | None, typer.Option(help="Address to check permissions at. This transfers no message.")
    ] = None,
    message: Annotated[
        bool, typer.Option("--message", help="Also send one message to the address and receive it.")
    ] = False,
    operations: Annotated[
        str | None,
        typer.Option(
            help="Operations to check at the address: send, recv or send,recv. Default: spec.authorization's."
        ),
    ] = None,
    external: Annotated[
        bool, typer.Option("--external", help="Use the AddressSpace's endpoint for clients outside the cluster.")
    ] = False,
    connect: Annotated[
        str | None,
        typer.Option(
            help="HOST:PORT to connect to instead, such as a forwarded port. The certificate stays the broker's."
        ),
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(help="File with the CA to trust, as PEM. Default: the delivered one.")
    ] = None,
    endpoint: Annotated[
        str | None,
        typer.Option(
            help="Test amqps://HOST:PORT without a cluster, with the credential in AMQP_USERNAME and AMQP_PASSWORD, "
            "and the CA in AMQP_CA."
        ),
    ] = None,
    from_pod: Annotated[
        bool, typer.Option("--from-pod", help="Print the Job that does this test inside the cluster.")
    ] = False,
    image: Annotated[str, typer.Option(help="Image of that Job.")] = job.IMAGE,
    within: Annotated[float, typer.Option(min=0.1, max=600.0, help="Seconds for each step.")] = 10.0,
    output: Output = "text",
) -> None:
    """Test if a connection works.

    Prints at which step it fails.

    The steps are name, TCP, TLS, log-in, permission and message. Reads the Integration, its Connection and its Secret.
    """
    check_output(output)
    if (integration is None) == (endpoint is None):
        fail("name an Integration, or give --endpoint", WRONG_INPUT)
    if endpoint is not None and (from_pod or external or namespace or kubeconfig or context):
        fail("--endpoint tests without a cluster: leave the flags of a cluster out", WRONG_INPUT)
    if from_pod and (external or connect):
        fail("--from-pod tests the endpoint inside the cluster: leave --external and --connect out", WRONG_INPUT)
    use = _use(address, operations, message=message)
    via = _host_port(connect) if connect else None
    if not (from_pod or available()):
        fail(MISSING, WRONG_INPUT)
    with one_line():
        pem = ca.read_bytes().decode(errors="replace") if ca else None
        if endpoint is not None:
            tested = _from_environment(endpoint, pem)
            _report(replace(tested, via=via), use, within, output, of_integration=False)
            return
        settings = load({"kubeconfig": kubeconfig, "context": context}, None)
        where = (str(integration), namespace, settings)
        delivery, credential = asyncio.run(_delivered(*where, external=external, with_credential=not from_pod))
    if pem is not None:
        delivery = replace(delivery, ca=pem, ca_source=f"--ca {ca}")
    if use.address is not None and not use.operations:
        use = replace(use, operations=delivery.operations(use.address))
    if credential is None:
        document = job.job(delivery, use, image=image, within=within)
        echo(json.dumps(document, indent=2) + "\n" if output == "json" else to_yaml(document))
        return
    if output == "text":
        say(f"Integration {delivery.integration.ref}: {delivery.server} as user {credential.username!r}")
        if delivery.server.tls:
            say(f"CA: {delivery.ca_source}")
    tested = _endpoint(delivery.server, credential, delivery.ca, via)
    _report(tested, use, within, output, of_integration=True)


async def _delivered(
    name: str, namespace: str | None, settings: Settings, *, external: bool, with_credential: bool
) -> tuple[Delivery, Credential | None]:
    from integration_operator.cli.reading import connected, ref_of

    async with connected(settings.kubeconfig, settings.context) as client:
        delivery = await read_delivery(client, ref_of(name, namespace or client.namespace), external=external)
        return delivery, await read_credential(client, delivery) if with_credential else None


def _endpoint(server: Server, credential: Credential, ca: str | None, via: tuple[str, int] | None = None) -> Endpoint:
    return Endpoint(server.host, server.port, server.tls, credential.username, credential.password, ca, via)


def _from_environment(uri: str, pem: str | None) -> Endpoint:
    try:
        server = parse_uri(uri)
    except ValueError as error:
        fail(f"--endpoint: {error}", WRONG_INPUT)
    username, password = (os.environ.get(variable) for variable in (job.USERNAME, job.PASSWORD))
    if not username or not password:
        fail(f"--endpoint needs the credential in the variables {job.USERNAME} and {job.PASSWORD}", WRONG_INPUT)
    return _endpoint(server, Credential(username, password), pem or os.environ.get(job.CA) or None)


def _use(address: str | None, operations: str | None, *, message: bool) -> Use:
    """Return what the flags ask for, without operations if no flag names them."""
    if (message or operations) and not address:
        fail(f"{'--message' if message else '--operations'} needs --address", WRONG_INPUT)
    given = operations.split(",") if operations else []
    if any(operation not in get_args(Operation) for operation in given):
        fail(f"--operations must be send, recv or send,recv (got {operations})", WRONG_INPUT)
    if message and given == ["recv"]:
        fail("--message sends a message: --operations must contain send", WRONG_INPUT)
    chosen = tuple(operation for operation in get_args(Operation) if operation in given)
    return Use(address or None, cast(tuple[Operation, ...], chosen), message)


def _host_port(text: str) -> tuple[str, int]:
    try:
        return parse_host_port(text)
    except ValueError as error:
        fail(f"--connect: {error} (got {text})", WRONG_INPUT)


def _report(endpoint: Endpoint, use: Use, within: float, output: str, *, of_integration: bool) -> None:
    """Take the steps, and print each as it ends. Exit with ``NOT_WORKING`` if one fails."""
    ended: list[Step] = []
    for step in probe(endpoint, use, seconds=within):
        ended.append(step)
        if output == "text":
            say(f"{MARKS[step.outcome]} {step.name}: {step.detail}", indent=2)
    last = ended[-1]
    advice = next_step(last, endpoint, of_integration=of_integration)
    if output == "json":
        echo(json.dumps(_as_json(ended, endpoint, advice), indent=2) + "\n")
    if last.outcome is Outcome.FAILED:
        fail(f"the connection does not work: {last.name}: {last.detail}; {advice}", NOT_WORKING)
    if output == "text":
        say("The connection works.")


def _as_json(steps: list[Step], endpoint: Endpoint, advice: str) -> dict[str, object]:
    return {
        "endpoint": str(Server(endpoint.host, endpoint.port, endpoint.tls)),
        "username": endpoint.username,
        "works": steps[-1].outcome is not Outcome.FAILED,
        "steps": [
            {"step": step.name, "outcome": step.outcome, "detail": step.detail, "reason": step.reason} for step in steps
        ],
        "nextStep": advice or None,
    }
