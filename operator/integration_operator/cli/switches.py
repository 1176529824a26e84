"""``enable``, ``disable``, ``suspend`` and ``resume``: change one field of Integrations, and follow the operator."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from integration_operator.cli.failure import WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import Context, Kubeconfig
from integration_operator.cli.following import NOT_SEEN, described_summary, follow
from integration_operator.cli.output import say
from integration_operator.cli.reading import connected
from integration_operator.cli.scope import AllNamespaces, Names, Namespace, Scope, read_integrations
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.policies.integrations import parse_integration

Everything = Annotated[bool, typer.Option("--all", help="All Integrations in the namespace; with -A in the cluster.")]
Wait = Annotated[bool, typer.Option(help="Follow the operator until it is done.")]
Within = Annotated[float, typer.Option(help="Seconds to wait for each Integration.")]


@dataclass(frozen=True, slots=True)
class Switch:
    """A change of the spec: what it is called once it is done, and when the operator has followed it."""

    spec: dict[str, bool]
    done: str
    followed: Callable[[Integration], bool]

    def is_set(self, integration: Integration) -> bool:
        """Return True if the spec is so already."""
        return all(bool(getattr(integration.spec, name)) == value for name, value in self.spec.items())


def _is_ready(integration: Integration) -> bool:
    return integration.condition("Ready").get("status") == "True"


def _is_taken_down(integration: Integration) -> bool:
    return not any(integration.delivered.get(side) for side in ("user", "secondUser", "connection"))


def _is_seen(_: Integration) -> bool:
    return True


def _command(name: str, switch: Switch, text: str) -> Callable[..., None]:
    """Return the command of a switch."""

    def command(
        integrations: Names = None,
        everything: Everything = False,
        kubeconfig: Kubeconfig = None,
        context: Context = None,
        namespace: Namespace = None,
        all_namespaces: AllNamespaces = False,
        wait: Wait = True,
        within: Within = 120.0,
    ) -> None:
        scope = Scope(kubeconfig, context, tuple(integrations or ()), namespace, all_namespaces)
        _switch(switch, scope, everything=everything, within=within if wait else 0.0)

    command.__name__, command.__doc__ = name, text
    return command


enable = _command(
    "enable",
    Switch({"enabled": True}, "enabled", _is_ready),
    """Deliver pairs.

    The operator creates a user and a connection for each. Follows until each is Ready; to interrupt that changes
    nothing.
    """,
)
disable = _command(
    "disable",
    Switch({"enabled": False}, "disabled", _is_taken_down),
    """Stop delivering pairs.

    The operator deletes user, connection and Secret of each, and keeps the offer.
    """,
)
suspend = _command(
    "suspend",
    Switch({"suspend": True}, "suspended", _is_seen),
    """Pause pairs.

    The operator creates, changes and deletes nothing. Withdrawn consent still ends access.
    """,
)
resume = _command("resume", Switch({"suspend": False}, "resumed", _is_seen), """Go on with pairs that are suspended.""")


def _switch(switch: Switch, scope: Scope, *, everything: bool, within: float) -> None:
    scope.check()
    if everything == bool(scope.names):
        fail("name Integrations, or use --all", WRONG_INPUT)
    with one_line():
        asyncio.run(_switch_all(switch, scope, within))


async def _switch_all(switch: Switch, scope: Scope, within: float) -> None:
    async with connected(scope.kubeconfig, scope.context) as client:
        served, documents = await read_integrations(client, scope)
        integrations = [parse_integration(document) for document in documents]
        if not integrations:
            say(f"No Integration {scope.said(client)}.")
        generations: dict[str, Any] = {}
        for integration in integrations:
            path = served.item(*integration.ref)
            if switch.is_set(integration):
                say(f"{integration.ref}: {switch.done} already")
            else:
                integration = parse_integration(await client.patch(path, {"spec": switch.spec}))
                say(f"{integration.ref}: {switch.done}")
            generations[path] = integration.generation
        for integration in integrations if within else ():
            path = served.item(*integration.ref)

            def look(current: Integration, generation: int = generations[path]) -> tuple[str, bool]:
                observed = current.status.get("observedGeneration")
                seen = isinstance(observed, int) and observed >= generation
                state = described_summary(current) if seen else NOT_SEEN
                return state, seen and switch.followed(current)

            await follow(client, path, integration.ref, look, within=within)
