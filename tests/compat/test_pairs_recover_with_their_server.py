"""A server that was down, or is another one now, and what waits for it: back within seconds, and quiet until then."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import Stage, SyndesisServer
from tests.support.audit_log import OPERATOR
from tests.support.documents import condition, decoded, space_status
from tests.support.world import World

PAIRS = 6
FOREVER = 1_000_000
WITHIN = 5.0
"""Seconds from the server's return until all pairs are Ready."""


async def pairs_of(world: World, count: int = PAIRS) -> list[Pair]:
    """Create pairs of one Syndesis; no annotation says that a controller reconciles its Connections."""
    shop = await world.namespace("shop")
    await world.create("Syndesis", shop, "syndesis", spec={}, status={"phase": "Installed"})
    return [Pair(await world.space(shop, f"space-{n}"), Ref(shop, "syndesis")) for n in range(count)]


async def statuses(world: World, pairs: list[Pair]) -> list[dict[str, Any]]:
    items = await world.items("Integration", pairs[0].syndesis.namespace)
    return [item for item in items if not item["metadata"].get("deletionTimestamp")]


async def all_ready(world: World, pairs: list[Pair], *, within: float = 30.0) -> float:
    """Wait until all are Ready; return for how long."""
    began = time.monotonic()

    async def check() -> bool:
        found = await statuses(world, pairs)
        return len(found) == len(pairs) and all(condition(i, "Ready").get("status") == "True" for i in found)

    await world.eventually("all pairs are Ready", check, within=within)
    return time.monotonic() - began


async def none_ready(world: World, pairs: list[Pair]) -> None:
    async def check() -> bool:
        found = await statuses(world, pairs)
        return all(condition(i, "ConnectionReady").get("status") == "False" for i in found)

    await world.eventually("no pair is Ready", check)


async def deliver(world: World, pairs: list[Pair]) -> None:
    for pair in pairs:
        await world.offered(pair)
        await world.enable(pair)
    await all_ready(world, pairs)


async def move(world: World, pairs: list[Pair], host: str) -> None:
    """Change the endpoint of all AddressSpaces, so that every connection has to change."""
    for pair in pairs:
        await world.patch("AddressSpace", pair.space, {"status": space_status(host)})


def connected(server: SyndesisServer, host: str) -> Callable[[], bool]:
    stored = server.stored().values()
    return lambda: all(host in c["configuredProperties"]["connectionUri"] for c in stored)


@pytest.mark.parametrize("outage", [6, *(pytest.param(long, marks=pytest.mark.faults) for long in (20, 45))])
@pytest.mark.parametrize("status", [503, 0], ids=["HTTP 503", "no answer"])
async def test_all_pairs_are_ready_soon_after_the_servers_return(
    world: World, syndesis_server: SyndesisServer, outage: int, status: int
) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pairs = await pairs_of(world)
        await deliver(world, pairs)
        syndesis_server.fail(times=FOREVER, status=status)
        await move(world, pairs, "moved.svc")
        began = time.monotonic()
        await none_ready(world, pairs)
        await asyncio.sleep(outage - (time.monotonic() - began))
        syndesis_server.recover()
        assert await all_ready(world, pairs, within=60) < WITHIN
        assert connected(syndesis_server, "moved.svc")()


async def test_while_they_wait_nothing_is_written_and_little_is_asked(
    world: World, syndesis_server: SyndesisServer
) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pairs = await pairs_of(world, 12)
        await deliver(world, pairs)
        syndesis_server.fail(times=FOREVER, status=503)
        await move(world, pairs, "moved.svc")
        await none_ready(world, pairs)
        await asyncio.sleep(5)
        world.audit.mark()
        asked = len(syndesis_server.requests)
        await asyncio.sleep(12)
        assert world.audit.writes(OPERATOR) == []
        assert world.audit.events_posted(OPERATOR) == 0
        assert len(syndesis_server.requests) - asked <= 6, "one request tries the server from time to time"
        syndesis_server.recover()
        assert await all_ready(world, pairs, within=60) < WITHIN


async def test_a_login_is_closed_while_they_wait(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pairs = await pairs_of(world, 3)
        await deliver(world, pairs)
        syndesis_server.fail(times=FOREVER, status=503)
        await move(world, pairs, "moved.svc")
        await none_ready(world, pairs)
        await world.enable(pairs[0], enabled=False)

        async def closed() -> bool:
            return await world.get("MessagingUser", naming.user_ref(pairs[0])) is None

        await world.eventually("the login is closed", closed, within=WITHIN)
        syndesis_server.recover()

        async def gone() -> bool:
            return len(syndesis_server.stored()) == 2

        await world.eventually("its connection goes with the server's return", gone, within=WITHIN)


async def written_by_a_user(world: World, pairs: list[Pair]) -> None:
    """Create Integrations that stay while their Syndesis is away; the operator's offers give way to them."""
    for pair in pairs:
        reference = {"namespace": pair.space.namespace, "name": pair.space.name}
        spec = {"addressSpaceRef": reference, "client": pair.syndesis.name, "enabled": True}
        await world.create("Integration", pair.syndesis.namespace, f"mine-{pair.space.name}", spec=spec)


async def watch_it_start(
    world: World, server: SyndesisServer, pairs: list[Pair], began: float, passwords: list[str]
) -> None:
    """Take a server through its stages; check that no status and no request assumes more than is true."""
    asked = len(server.requests)
    while not server.stored() and time.monotonic() < began + 8:
        age = time.monotonic() - began
        server.stage = Stage.COMPLETE if age > 3 else Stage.NO_CONNECTORS if age > 1.5 else Stage.NO_PATHS
        stage = server.stage
        if age > 1:
            for integration in await statuses(world, pairs):
                believed = condition(integration, "ConnectionReady").get("status") == "True"
                assert not believed or server.stored(), "a connection that another Syndesis had"
        sent = str([request.body for request in server.requests[asked:]])
        assert stage is Stage.COMPLETE or not any(password in sent for password in passwords)
        await asyncio.sleep(0.05)


async def passwords_of(world: World, pairs: list[Pair]) -> list[str]:
    found = [await world.get("Secret", naming.secret_ref(pair)) for pair in pairs]
    return [decoded(secret)["password"] for secret in found if secret]


@pytest.mark.parametrize("away", [0.0, 2.0], ids=["within a moment", "after two seconds"])
async def test_a_syndesis_that_is_installed_anew_gets_all_connections_again(
    world: World, syndesis_server: SyndesisServer, away: float
) -> None:
    """Another uid, an empty database: nothing that was confirmed of the old one is true of the new one."""
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pairs = await pairs_of(world)
        await written_by_a_user(world, pairs)
        await all_ready(world, pairs)
        await world.audit.quiet()
        passwords = await passwords_of(world, pairs)
        ref = pairs[0].syndesis
        syndesis_server.install_anew()
        await world.delete("Syndesis", ref)
        await asyncio.sleep(away)
        await world.create("Syndesis", ref.namespace, ref.name, spec={}, status={"phase": "Installed"})
        began = time.monotonic()
        await watch_it_start(world, syndesis_server, pairs, began, passwords)

        async def all_made() -> bool:
            return len(syndesis_server.stored()) == PAIRS

        await world.eventually("all connections are made again", all_made, within=began + 13 - time.monotonic())
        await all_ready(world, pairs, within=10)
        now = dict(zip(pairs, await passwords_of(world, pairs), strict=True))
        for pair in pairs:
            stored = syndesis_server.stored()[naming.connection_id(pair)]
            assert stored["configuredProperties"]["password"].startswith("»ENC:")
            assert syndesis_server.password(stored["id"]) == now[pair]


async def test_an_address_space_that_is_made_anew_gets_its_users_again(
    world: World, syndesis_server: SyndesisServer
) -> None:
    """Deleted and created again, its realm anew and empty: the login is made again, and the connection has it."""
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pairs = await pairs_of(world)
        await written_by_a_user(world, pairs)
        await all_ready(world, pairs)
        for pair in pairs:
            await world.delete("AddressSpace", pair.space)
            await world.space(*pair.space)
        began = time.monotonic()

        async def all_follow() -> bool:
            """Check if each user is of the new AddressSpace, created again, or handed over if it still existed."""
            for pair in pairs:
                user, space = (
                    await world.get("MessagingUser", naming.user_ref(pair)),
                    await world.get("AddressSpace", pair.space),
                )
                owners = [owner["uid"] for owner in (user or {}).get("metadata", {}).get("ownerReferences", ())]
                if space is None or owners != [space["metadata"]["uid"]]:
                    return False
            return True

        await world.eventually("all users are of the new AddressSpaces", all_follow, within=20)
        await all_ready(world, pairs, within=20)
        assert time.monotonic() - began < 20
        for pair, password in zip(pairs, await passwords_of(world, pairs), strict=True):
            assert syndesis_server.password(naming.connection_id(pair)) == password
