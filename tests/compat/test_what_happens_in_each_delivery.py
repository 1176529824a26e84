"""Each row of the table in docs/what-happens-when.md is what happens, in each delivery, with and without the operator.

The table has a row for each combination. What is there while the operator is away is compared with its own row, and
what is there after the next start with the row of an operator that runs.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from itertools import product
from pathlib import Path

import pytest

from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.delivered_pairs import EVENTS, Delivered, InKeycloak, Native, Rest
from tests.support.keycloak_access import store_keycloak_access
from tests.support.world import World

PAGE = Path(__file__).parents[2] / "docs/what-happens-when.md"
DELIVERIES = ("native", "REST", "Keycloak")
OPERATOR = RUNS, AWAY = "runs", "away"
SETTLED = 0.3
"""Seconds for which a state has to last."""
CASES = list(product(EVENTS, OPERATOR))

State = dict[str, str]


def lines_of(title: str) -> list[list[str]]:
    """Return the cells of a section's table, line by line."""
    section = PAGE.read_text().split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\|.*", section, re.MULTILINE)
    ]


def table() -> dict[tuple[str, str, str], State]:
    """Return the rows of the table by event, delivery and operator; one row may be about several deliveries."""
    head, _, *rows = lines_of("What happens in each delivery")
    found: dict[tuple[str, str, str], State] = {}
    for event, deliveries, operator, *cells in rows:
        for delivery in DELIVERIES if deliveries == "all" else deliveries.split(", "):
            assert (event, delivery, operator) not in found, f"{event}, {delivery}, {operator} is there twice"
            found[event, delivery, operator] = dict(zip(head[3:], cells, strict=True))
    return found


ROWS = table()


def test_the_table_has_each_combination() -> None:
    assert ROWS.keys() == set(product(EVENTS, DELIVERIES, OPERATOR))


def test_each_other_event_names_its_test() -> None:
    _, _, *rows = lines_of("Other events")
    assert len(rows) >= 9
    assert [row[0] for row in rows if not re.match(r"tests/[\w/]+\.py::test_\w+", row[-1])] == []


async def reached(pair: Delivered, expected: State) -> None:
    """Wait until a state is there, and check that it lasts."""
    seen: State = {}

    async def there() -> bool:
        nonlocal seen
        seen = await pair.state()
        return seen == expected

    try:
        await pair.world.eventually("the state of the row", there, within=15)
    except AssertionError:
        assert seen == expected  # shows the difference
    await asyncio.sleep(SETTLED)
    assert await pair.state() == expected


async def follow(pair: Delivered, event: str, delivery: str) -> None:
    """Deliver a pair, let the event happen, and compare what is there with the rows."""
    await pair.prepare()
    async with AsyncExitStack() as operator:
        await operator.enter_async_context(pair.operator())
        await pair.deliver(**({"deletionPolicy": "Retain"} if "`Retain`" in event else {}))
        if pair.running:
            await EVENTS[event](pair)
            await reached(pair, ROWS[event, delivery, RUNS])
            return
    await EVENTS[event](pair)
    await reached(pair, ROWS[event, delivery, AWAY])
    async with pair.operator():
        await reached(pair, ROWS[event, delivery, RUNS])


def across(event: str) -> bool:
    return "same namespace" not in event


@pytest.mark.parametrize(("event", "operator"), CASES)
async def test_native(world: World, event: str, operator: str) -> None:
    async with world.platforms() as enmasse:
        await follow(Native(world, across(event), operator == RUNS, enmasse), event, "native")


@pytest.mark.parametrize(("event", "operator"), CASES)
async def test_rest(world: World, syndesis_server: SyndesisServer, event: str, operator: str) -> None:
    async with world.platforms() as enmasse:
        await follow(Rest(world, across(event), operator == RUNS, enmasse, syndesis_server), event, "REST")


@pytest.mark.parametrize(("event", "operator"), CASES)
async def test_keycloak(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, event: str, operator: str
) -> None:
    await store_keycloak_access(old, keycloak)
    pair = InKeycloak(old, across(event), operator == RUNS, syndesis_server, keycloak)
    try:
        await follow(pair, event, "Keycloak")
    finally:
        await pair.end()
