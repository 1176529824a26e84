"""``integration-operator rotate``: requests a new credential, and follows the rotation."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from integration_operator.api import names
from integration_operator.cli.failure import NO_PAIR, UNFINISHED, fail, one_line
from integration_operator.cli.flags import Context, Kubeconfig
from integration_operator.cli.following import described_condition, follow
from integration_operator.cli.output import say
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.rotation import format_time
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.domain.policies.rotation import overlap
from integration_operator.runtime.ref import Ref
from integration_operator.settings import Settings, load

if TYPE_CHECKING:
    from integration_operator.runtime.client import Client

MOVED = ("Overlap", "Ending", "Rotated")
"""Reasons of the condition Rotating once the connection has the new user."""


def rotate(
    integrations: Annotated[
        list[str], typer.Argument(metavar="NAME", help="NAME or NAMESPACE/NAME of an Integration.")
    ],
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", help="Namespace of a NAME. Default: the context's.")
    ] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the connection has the new user.")] = True,
    within: Annotated[float, typer.Option(help="Seconds to wait for each Integration.")] = 120.0,
) -> None:
    """Replace the credential of Integrations.

    The earlier user remains for spec.rotation.overlap. The running operator carries out the steps. Publish
    integrations in Syndesis again before the overlap ends.
    """
    with one_line():
        settings = load({"kubeconfig": kubeconfig, "context": context}, None)
        asyncio.run(_rotate(integrations, namespace, settings, within=within if wait else 0.0))


async def _rotate(names_: list[str], namespace: str | None, settings: Settings, *, within: float) -> None:
    from integration_operator.cli.reading import connected, ref_of, served_integrations
    from integration_operator.cli.scope import read_integration

    async with connected(settings.kubeconfig, settings.context) as client:
        served = await served_integrations(client)
        refs = [ref_of(name, namespace or client.namespace) for name in names_]
        paths = {ref: served.item(*ref) for ref in refs}
        for ref in paths:  # all are checked before the first one is changed
            _check(parse_integration(await read_integration(client, served, ref)))
        for ref, path in paths.items():
            await _rotate_one(client, ref, path, within)


def _check(integration: Integration) -> None:
    """End the command if the operator would not rotate the credential."""
    if not integration.enabled:
        fail(f"Integration {integration.ref} is not enabled: it has no credential", NO_PAIR)
    if (reference := integration.spec.credentials_secret_ref) is not None:
        fail(
            f"Integration {integration.ref} uses Secret {reference.name}: change user name and password there", NO_PAIR
        )


async def _rotate_one(client: Client, ref: Ref, path: str, within: float) -> None:
    request = datetime.now(UTC).isoformat()
    answer = await client.patch(path, {"metadata": {"annotations": {names.ROTATE: request}}})
    before = _rotated_at(parse_integration(answer))
    say(f"{ref}: rotation requested")
    if not within:
        return
    until = datetime.now(UTC) + timedelta(seconds=within)

    def look(current: Integration) -> tuple[str, bool]:
        state = described_condition(current, "Rotating")
        is_rotated = _rotated_at(current) != before
        if is_rotated or current.moved_at is None:
            return state, is_rotated and state.startswith(MOVED)
        begins = current.moved_at + overlap(current)
        if begins > until:
            fail(f"{ref}: {_waits(begins)}; the command does not wait for it", UNFINISHED)
        return _waits(begins), False

    await follow(client, path, ref, look, within=within)


def _waits(begins: datetime) -> str:
    """Say that a rotation begins only when there is one user."""
    return f"the user before the last rotation remains until {format_time(begins)}, when the rotation begins"


def _rotated_at(integration: Integration) -> object:
    rotation = integration.status.get("rotation")
    return rotation.get("rotatedAt") if isinstance(rotation, dict) else None
