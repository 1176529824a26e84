"""Golden transcripts of the commands: on a terminal of 80 columns, piped, as JSON, and for a user without rights."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from integration_operator.domain.model.pair import Pair
from tests.support.command_line import Answer, on_terminal, piped
from tests.support.tenants import kubeconfig_of
from tests.support.transcripts import matches
from tests.support.world import World

SHOWN = {
    "get": ["get", "get -o wide", "get -o json", "get -o yaml", "get -o name"],
    "tree": ["tree", "tree -o json"],
    "explain": ["explain", "explain -o json"],
    "events": ["events"],
    "diff": ["diff"],
    "migrate": ["migrate --to rest --dry-run"],
}
"""What each command is run with, besides ``-n`` and the namespace."""

ON_TERMINAL = {"get", "get -o wide", "tree", "explain", "events", "diff"}


@asynccontextmanager
async def two_pairs(world: World) -> AsyncIterator[str]:
    """Yield a namespace with a Syndesis and two AddressSpaces, of which one is delivered."""
    async with world.platforms(), world.operator():
        shop = await world.namespace("shop")
        syndesis = await world.syndesis(shop)
        orders, stock = [Pair(await world.space(shop, name), syndesis) for name in ("orders", "stock")]
        await world.offered(stock)
        await world.has_reason(stock, "NotEnabled")
        await world.deliver(orders)
        await world.has_reason(orders, "Ready")
        await world.eventually("all Events are posted", lambda: _events(world, shop))
        yield shop


async def _events(world: World, namespace: str) -> bool:
    found = await world.kubectl.get(f"/api/v1/namespaces/{namespace}/events")
    return {event["reason"] for event in found["items"]} >= {"NotEnabled", "Ready"}


@pytest.mark.parametrize("command", SHOWN)
async def test_what_is_there(world: World, command: str) -> None:
    kubeconfig = world.control_plane.kubeconfig("user")
    answers: list[tuple[str, Answer]] = []
    async with two_pairs(world) as shop:
        for line in SHOWN[command]:
            words = [*line.split(), "-n", shop]
            answers.append((f"integration-operator {line} -n {shop} | cat", await piped(kubeconfig, *words)))
            if line in ON_TERMINAL:
                answers.append((f"integration-operator {line} -n {shop}", await on_terminal(kubeconfig, *words)))
    matches(command, world.tag, *answers)


@pytest.mark.parametrize("command", [*SHOWN, "enable --all", "doctor", "uninstall --dry-run"])
async def test_what_a_user_without_rights_sees(world: World, command: str, tmp_path: Path) -> None:
    """One line that names what may not be read, at once."""
    async with two_pairs(world) as shop:
        kubeconfig = await kubeconfig_of(world, "outsider", [shop], [], tmp_path)
        namespace = [] if command in ("doctor", "uninstall --dry-run") else ["-n", shop]
        answer = await piped(kubeconfig, *command.split(), *namespace)
    shown = " ".join(["integration-operator", command, *namespace])
    matches(f"{command.split()[0]}-without-rights", world.tag, (shown, answer))
    assert answer.seconds < 9, "a refusal is final: nothing is waited for"
    if command != "doctor":
        assert answer.code == 4
        assert answer.out == ""
        assert answer.err.count("\n") == 1
