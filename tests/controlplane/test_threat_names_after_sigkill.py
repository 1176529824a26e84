"""Threat: what a process knew of a name is lost by SIGKILL; the next one takes no user for its own that is not.

It takes none of its own for a foreign one either: a login that was being created at the SIGKILL is still this pair's.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from tests.support.documents import encoded, path
from tests.support.scenes import Process, Scene, scene
from tests.support.world import World

FORGED = {
    "phase": "complete",
    "delivered": {
        "user": {"delivery": "native", "name": "orders.boss", "username": "boss"},
        "connection": {"delivery": "rest", "id": "i-1"},
        "source": "crd",
    },
}
MOMENTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5)
"""Seconds after the first request of a process: before the stores are in sync, while they come into sync, while the
first pass is made, and after."""

UNREACHABLE = ("--syndesis-url", "http://127.0.0.1:9")


@pytest.mark.parametrize("connection", ["native", "rest"])
async def test_a_user_of_the_giver_is_never_taken(world: World, tmp_path: Path, connection: str) -> None:
    async with scene(world, tmp_path) as on:
        before = await on.boss()
        await on.bring("boss")
        await on.ask(credentialsSecretRef={"name": "byo"}, delivery={"connection": connection})
        for number, seconds in enumerate(MOMENTS):
            process = Process(world, *UNREACHABLE)
            try:
                await process.works()
                await asyncio.sleep(seconds)
            finally:
                await process.kill()
            await on.untouched(before)
            match number % 3:
                case 0:
                    await on.forge(FORGED)
                case 1:
                    await on.change(enabled=False)
                case 2:
                    finalizers = {"metadata": {"finalizers": [names.REST_STATE_FINALIZER]}}
                    await on.receiver.patch(path("Integration", *on.ref), finalizers)
                    await on.change(enabled=True)
        await on.change(enabled=True)
        process = Process(world, *UNREACHABLE)
        try:
            await on.said("NameTaken")
        finally:
            await process.kill()
        await on.untouched(before)


async def there(on: Scene, what: str) -> Any:
    match what:
        case "finalizer":
            found = await world_integration(on)
            return names.REST_STATE_FINALIZER in (found["metadata"].get("finalizers") or ())
        case "MessagingUser":
            return await on.user("clerk")
        case "Connection":
            return await on.world.get("Connection", naming.connection_ref(on.pair))
        case _:
            found = await world_integration(on)
            return (found.get("status") or {}).get("delivered")


async def world_integration(on: Scene) -> dict[str, Any]:
    found = await on.world.get("Integration", on.ref)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("connection", "moment"),
    [
        ("rest", "finalizer"),
        ("rest", "MessagingUser"),
        ("native", "MessagingUser"),
        ("native", "Connection"),
        ("native", "status"),
    ],
)
async def test_a_chosen_login_in_the_middle_of_delivering_is_still_ours(
    world: World, tmp_path: Path, connection: str, moment: str
) -> None:
    async with scene(world, tmp_path) as on, world.platforms():
        await on.bring("clerk")
        process = Process(world, *UNREACHABLE)
        await process.works()
        try:
            await on.ask(credentialsSecretRef={"name": "byo"}, delivery={"connection": connection})
            await world.eventually(f"{moment} is there", lambda: there(on, moment), every=0.002)
        finally:
            await process.kill()
        before = await on.user("clerk")
        async with world.operator(syndesis_url="http://127.0.0.1:9"):
            await on.said("UserActive")
            after = await on.user("clerk")
            assert after is not None
            assert before is None or after["metadata"]["uid"] == before["metadata"]["uid"]
            assert after["spec"]["authentication"]["password"] == encoded("of mallory")
            await on.change(enabled=False)

            async def gone() -> bool:
                return await on.user("clerk") is None

            await world.eventually("the login is closed", gone)
