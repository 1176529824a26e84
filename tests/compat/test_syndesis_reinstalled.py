"""A Syndesis that was reinstalled, or is starting, gets no password before it would encrypt it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from integration_operator.backends.syndesis.errors import ConnectorUnfit, SyndesisUnavailable
from integration_operator.domain.model.platforms import Syndesis
from integration_operator.runtime.errors import Failure
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import Stage, SyndesisServer
from tests.support.deliveries import PASSWORD, Deliverer, Wish, delivering, writes

WISH = Wish()


@pytest.fixture
async def left() -> AsyncIterator[tuple[Deliverer, SyndesisServer]]:
    """Return a delivery that has created its connection on a server that was since replaced and is starting."""
    async with SyndesisServer.running() as server, delivering(server) as deliverer:
        await deliverer.deliver(WISH)
        server.install_anew()
        yield deliverer, server


def bodies(server: SyndesisServer, since: int) -> str:
    return str([request.body for request in server.requests[since:]])


async def test_no_password_is_sent_at_any_stage_but_the_last(left: tuple[Deliverer, SyndesisServer]) -> None:
    deliverer, server = left
    asked = len(server.requests)
    with pytest.raises(SyndesisUnavailable) as caught:
        await deliverer.deliver(WISH)
    assert caught.value.reason == "SyndesisStarting"
    server.stage = Stage.NO_CONNECTORS
    with pytest.raises(ConnectorUnfit, match="no connector 'amqp'"):
        await deliverer.deliver(WISH)
    assert writes(server, asked) == []
    assert PASSWORD not in bodies(server, asked)
    server.stage = Stage.COMPLETE
    await deliverer.deliver(WISH)
    assert server.password(WISH.id) == PASSWORD
    assert server.stored()[WISH.id]["configuredProperties"]["password"].startswith("»ENC:")


async def test_not_even_without_an_outage_in_between(left: tuple[Deliverer, SyndesisServer]) -> None:
    """The server is another one between two calls, and what was known of its connectors is an hour fresh."""
    deliverer, server = left
    server.stage = Stage.NO_CONNECTORS
    asked = len(server.requests)
    with pytest.raises(ConnectorUnfit):
        await deliverer.deliver(WISH)
    assert PASSWORD not in bodies(server, asked)
    assert server.stored() == {}


async def test_a_changed_password_is_not_sent_either() -> None:
    async with SyndesisServer.running() as server, delivering(server) as deliverer:
        await deliverer.deliver(WISH)
        server.stage = Stage.NO_CONNECTORS  # restarted, with its database
        asked = len(server.requests)
        with pytest.raises(ConnectorUnfit):
            await deliverer.deliver(WISH.but(password="second"))
        assert "second" not in bodies(server, asked)
        server.stage = Stage.COMPLETE
        await deliverer.deliver(WISH.but(password="second"))
        assert server.password(WISH.id) == "second"


async def test_the_definition_is_asked_for_just_before_each_write_of_a_secret_and_at_no_look() -> None:
    async with SyndesisServer.running() as server, delivering(server) as deliverer:
        await deliverer.deliver(WISH)
        await deliverer.deliver(WISH.but(password="second"))
        await deliverer.deliver(WISH.but(password="second", description="Another"))
        await deliverer.deliver(WISH.but(password="second", description="Another"))
        calls = [f"{r.method} {r.path.partition('?')[0].removeprefix('/api/v1')}" for r in server.requests]
        for at, call in enumerate(calls):
            if call == "POST /connections" or call.endswith("/properties"):
                assert calls[at - 1] == "GET /connectors/amqp"
        assert calls.count("GET /connectors/amqp") == 3, "the first to know the secrets, and one for each that was sent"


async def test_a_404_of_a_server_that_starts_is_no_deletion(left: tuple[Deliverer, SyndesisServer]) -> None:
    deliverer, _ = left
    with pytest.raises(SyndesisUnavailable):
        await deliverer.withdraw(WISH)


async def test_a_release_without_a_call_is_not_one_that_starts() -> None:
    async with SyndesisServer.running(release="1.5.4") as server, delivering(server) as deliverer:
        await deliverer.deliver(WISH)
        await deliverer.deliver(WISH.but(password="second"))
        assert server.password(WISH.id) == "second"
        assert "PUT /connections/" + WISH.id in writes(server)


@pytest.mark.parametrize(("uid", "forgotten"), [("first", False), ("second", True)])
async def test_another_uid_is_another_server(uid: str, forgotten: bool) -> None:
    old = Syndesis(Ref(WISH.namespace, "syndesis"), "first", "syndesis.io/v1beta3")
    async with SyndesisServer.running() as server, delivering(server) as deliverer:
        server.fail(times=5, status=503)
        for _ in range(5):
            with pytest.raises(SyndesisUnavailable):
                await deliverer.deliver(WISH)
        deliverer.servers.syndesis_changed(old, Syndesis(old.ref, uid, old.api_version))
        if forgotten:
            await deliverer.deliver(WISH)
        else:
            with pytest.raises(Failure, match="retried every"):
                await deliverer.deliver(WISH)


async def test_deliveries_under_way_while_it_starts_end_well(left: tuple[Deliverer, SyndesisServer]) -> None:
    deliverer, server = left
    wishes = [Wish(space=f"space-{n}") for n in range(6)]

    async def persist(wish: Wish) -> None:
        async with asyncio.timeout(20):
            while True:
                try:
                    await deliverer.deliver(wish)
                except Failure:
                    await asyncio.sleep(0.05)
                else:
                    return

    tasks = [asyncio.create_task(persist(wish)) for wish in wishes]
    asked = len(server.requests)
    for stage in (Stage.NO_CONNECTORS, Stage.COMPLETE):
        await asyncio.sleep(0.02)
        assert PASSWORD not in bodies(server, asked)
        server.stage = stage
    for wish in wishes:
        deliverer.servers.forget(wish.namespace)  # as its uid has it
    await asyncio.gather(*tasks)
    for wish in wishes:
        assert server.stored()[wish.id]["configuredProperties"]["password"].startswith("»ENC:")
