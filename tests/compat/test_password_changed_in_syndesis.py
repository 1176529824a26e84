"""A password that a user changes in Syndesis is restored at the next check, once, and without further requests."""

from __future__ import annotations

from dataclasses import replace

import aiohttp

from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.deliveries import PASSWORD, Deliverer, Wish, writes
from tests.support.syndesis_data import HEADERS

WISH = Wish()


async def change(server: SyndesisServer, **properties: str) -> None:
    """Change properties as a user does in Syndesis's own pages."""
    url = f"{server.url}/api/v1/public/connections/{WISH.id}/properties?refreshIntegrations=false"
    async with aiohttp.ClientSession(headers=HEADERS) as session, session.post(url, json=properties) as response:
        assert response.status == 200


async def test_it_is_put_back_once(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(WISH)
    await change(syndesis_server, password="a-users-own")
    asked = len(syndesis_server.requests)
    await deliverer.deliver(WISH)
    assert syndesis_server.password(WISH.id) == PASSWORD
    assert len(writes(syndesis_server, asked)) == 1
    asked = len(syndesis_server.requests)
    await deliverer.deliver(WISH)
    assert writes(syndesis_server, asked) == []


async def test_a_look_that_finds_it_unchanged_asks_no_more_than_before(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    await deliverer.deliver(WISH)
    asked = len(syndesis_server.requests)
    await deliverer.deliver(WISH)
    assert [r.path.partition("?")[0] for r in syndesis_server.requests[asked:]] == ["/api/v1/connections"]


async def test_the_same_password_typed_again_is_written_again_and_noted(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    """Nothing tells it from another one: each encryption is another text."""
    await deliverer.deliver(WISH)
    await change(syndesis_server, password=PASSWORD)
    await deliverer.deliver(WISH)
    asked = len(syndesis_server.requests)
    await deliverer.deliver(WISH)
    assert writes(syndesis_server, asked) == []
    assert syndesis_server.password(WISH.id) == PASSWORD


async def test_a_change_of_another_property_does_not_send_the_password(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    await deliverer.deliver(WISH)
    await change(syndesis_server, connectionUri="amqp://elsewhere.svc:5672")
    asked = len(syndesis_server.requests)
    await deliverer.deliver(WISH)
    sent = [request.body for request in syndesis_server.requests[asked:] if request.method == "POST"]
    assert sent == [{"connectionUri": "amqp://messaging.svc:5672"}]


async def test_what_an_earlier_version_noted_is_completed_and_writes_nothing(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    made = await deliverer.deliver(WISH)
    deliverer.known[WISH.pair] = replace(made, stored="")
    await change(syndesis_server, password="a-users-own")
    asked = len(syndesis_server.requests)
    later = await deliverer.deliver(WISH)
    assert writes(syndesis_server, asked) == []
    assert len(later.stored) == 32
    assert later.stored != made.stored


async def test_a_new_password_of_ours_is_noted_as_it_is_stored(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    first = await deliverer.deliver(WISH)
    second = await deliverer.deliver(WISH.but(password="another-of-ours"))
    assert first.stored != second.stored
    asked = len(syndesis_server.requests)
    await deliverer.deliver(WISH.but(password="another-of-ours"))
    assert writes(syndesis_server, asked) == []
