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
    "events": ["events", "events -o json"],
    "diff": ["diff"],
    "migrate": ["migrate --to rest --dry-run"],
}
"""What each command is run with, besides ``-n`` and the namespace."""

CHANGES = {
    "enable": ["enable {stock}", "enable {stock} -n {shop} --no-wait", "enable --all -n {shop}"],
    "disable": ["disable {orders}", "disable --all -n {shop}"],
    "suspend": ["suspend {orders}", "disable {orders} --no-wait", "resume {orders}"],
    "rotate": ["rotate {orders}", "rotate {stock}", "rotate nothing -n {shop}"],
}
"""Commands in the order in which they are run, on two offers of which ``orders`` is delivered."""

ON_TERMINAL = {"get", "get -o wide", "tree", "explain", "events", "diff"}


@asynccontextmanager
async def two_pairs(world: World) -> AsyncIterator[str]:
    """Yield a namespace with a Syndesis and two AddressSpaces, of which one is delivered."""
    async with world.platforms(), world.operator():
        shop = await world.namespace("shop")
        syndesis = await world.syndesis(shop)
        pairs = []
        for name in ("orders", "stock"):  # one after the other, so that their Events have an order
            pairs.append(Pair(await world.space(shop, name), syndesis))
            await world.offered(pairs[-1])
            await world.has_reason(pairs[-1], "NotEnabled")
            await world.eventually("its Event is posted", lambda: _events(world, shop, "NotEnabled", len(pairs)))
        orders, _ = pairs
        await world.deliver(orders)
        await world.has_reason(orders, "Ready")
        await world.eventually("all Events are posted", lambda: _events(world, shop, "Ready", 1))
        yield shop


async def _events(world: World, namespace: str, reason: str, count: int) -> bool:
    found = await world.kubectl.get(f"/api/v1/namespaces/{namespace}/events")
    return [event["reason"] for event in found["items"]].count(reason) == count


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


@pytest.mark.parametrize("command", CHANGES)
async def test_what_changes(world: World, command: str) -> None:
    kubeconfig = world.control_plane.kubeconfig("user")
    answers = []
    async with two_pairs(world) as shop:
        names = {"shop": shop} | {space: f"{shop}/{shop}.{space}.syndesis" for space in ("orders", "stock")}
        for line in CHANGES[command]:
            shown = line.format_map(names)
            answers.append((f"integration-operator {shown}", await piped(kubeconfig, *shown.split())))
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
