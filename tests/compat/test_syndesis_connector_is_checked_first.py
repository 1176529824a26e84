"""No password is sent to a server whose connector would not keep it secret.

With a connector that it does not know, the server stores everything in clear and says 200.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from integration_operator.backends.syndesis.connection_service import CONNECTOR_FRESH
from integration_operator.backends.syndesis.errors import ConnectorUnfit
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from integration_operator_sandbox.platforms.syndesis_server.connectors import amqp_connector
from integration_operator_sandbox.platforms.syndesis_server.release import Release
from tests.support.deliveries import PASSWORD, Deliverer, Wish, delivering, writes

WISH = Wish()
FIT = amqp_connector(Release("1.13.2"))


def with_password(definition: Any) -> dict[str, Any]:
    """Return the AMQP connector with another definition of its password."""
    properties = {**FIT["properties"], "password": definition}
    return {**FIT, "properties": {key: value for key, value in properties.items() if value is not None}}


@asynccontextmanager
async def a_server_with(*connectors: dict[str, Any]) -> AsyncIterator[tuple[SyndesisServer, Deliverer]]:
    async with SyndesisServer.running(connectors=list(connectors)) as server, delivering(server) as deliverer:
        yield server, deliverer


def install(server: SyndesisServer, *connectors: dict[str, Any]) -> None:
    """Give the server other connectors while it runs, as an upgrade of Syndesis does."""
    for known in server._connectors.all():
        server._connectors._by_id.pop(known["id"])
    server._connectors._by_id.update({connector["id"]: connector for connector in connectors})


UNFIT = {
    "not secret": with_password({"type": "string", "secret": False}),
    "not said to be secret": with_password({"type": "string"}),
    "secret by another word": with_password({"type": "string", "secret": "true"}),
    "no object": with_password("secret"),
    "without a password": with_password(None),
    "without properties": {key: value for key, value in FIT.items() if key != "properties"},
    "with a list of properties": FIT | {"properties": ["password"]},
}


@pytest.mark.parametrize("connector", UNFIT.values(), ids=UNFIT)
async def test_a_connector_that_would_show_the_password_gets_none(connector: dict[str, Any]) -> None:
    async with a_server_with(FIT) as (server, deliverer):
        install(server, connector)
        with pytest.raises(ConnectorUnfit) as caught:
            await deliverer.deliver(WISH)
        assert caught.value.reason == "ConnectorUnfit"
        assert not caught.value.stalls, "nothing would tell that the connector is another one"
        assert server.stored() == {}
        assert PASSWORD not in str([request.body for request in server.requests])

        install(server, FIT)
        await deliverer.deliver(WISH)
        assert server.password(WISH.id) == PASSWORD


async def test_without_the_connector_nothing_is_written_until_it_is_there() -> None:
    async with a_server_with() as (server, deliverer):
        with pytest.raises(ConnectorUnfit) as caught:
            await deliverer.deliver(WISH)
        assert caught.value.reason == "ConnectorMissing"
        assert "'amqp'" in caught.value.message
        assert [request.method for request in server.requests] == ["GET"]

        install(server, FIT)
        await deliverer.deliver(WISH)
        assert server.password(WISH.id) == PASSWORD


async def test_one_connector_missing_stands_in_no_other_ones_way() -> None:
    async with a_server_with(FIT) as (server, deliverer):
        with pytest.raises(ConnectorUnfit):
            await deliverer.deliver(Wish(space="payments", connector="amqp-of-tomorrow"))
        await deliverer.deliver(WISH)
        assert list(server.stored()) == [WISH.id]


async def test_for_looks_a_fit_connector_is_asked_for_once_in_an_hour() -> None:
    async with a_server_with(FIT) as (server, deliverer):

        def asked() -> int:
            return sum(request.path == "/api/v1/connectors/amqp" for request in server.requests)

        wishes = [Wish(space=f"space-{n}") for n in range(5)]
        for wish in wishes:
            await deliverer.deliver(wish)
        assert asked() == 1 + len(wishes), "once to know it, and once before each password"
        for wish in wishes:
            await deliverer.deliver(wish)
        assert asked() == 1 + len(wishes)
        deliverer.now += CONNECTOR_FRESH
        await deliverer.deliver(wishes[0])
        assert asked() == 2 + len(wishes)


async def test_a_connector_that_becomes_unfit_right_before_the_write_is_found_out_right_after_it() -> None:
    """What the server stored in clear is taken away again, and no second password is sent."""
    async with a_server_with(FIT) as (server, deliverer):
        await deliverer.deliver(Wish(space="payments"))
        install(server, UNFIT["not secret"])
        server.fail(times=1, status=200, body=json.dumps(FIT), path_prefix="/api/v1/connectors/amqp")
        with pytest.raises(ConnectorUnfit, match="stored password in plain text"):
            await deliverer.deliver(WISH)
        assert WISH.id not in server.stored()
        asked = len(server.requests)
        with pytest.raises(ConnectorUnfit):
            await deliverer.deliver(WISH)
        assert writes(server, asked) == []

        install(server, FIT)
        await deliverer.deliver(WISH)
        assert server.password(WISH.id) == PASSWORD


async def test_a_password_that_was_stored_in_clear_is_encrypted_as_soon_as_that_can_be() -> None:
    async with a_server_with(FIT) as (server, deliverer):
        await deliverer.deliver(WISH)
        install(server, UNFIT["not secret"])
        server.fail(times=1, status=200, body=json.dumps(FIT), path_prefix="/api/v1/connectors/amqp")
        with pytest.raises(ConnectorUnfit, match="stored password in plain text"):
            await deliverer.deliver(WISH.but(password="second"))
        with pytest.raises(ConnectorUnfit):
            await deliverer.deliver(WISH.but(password="third"))
        assert server.stored()[WISH.id]["configuredProperties"]["password"] == "second", "the third was not sent"

        install(server, FIT)
        await deliverer.deliver(WISH.but(password="third"))
        assert server.stored()[WISH.id]["configuredProperties"]["password"].startswith("»ENC:")
        assert server.password(WISH.id) == "third"
