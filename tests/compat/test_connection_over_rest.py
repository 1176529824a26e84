"""AddressSpace and MessagingUser are resources, the connection is on Syndesis's server."""

from __future__ import annotations

import asyncio

import aiohttp

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.audit_log import OPERATOR
from tests.support.documents import condition, decoded
from tests.support.rest_delivery import deliver_over_rest, finalizers, rest_pair, stored_connection
from tests.support.syndesis_data import HEADERS
from tests.support.world import World


async def test_life_of_a_pair(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        connection = await deliver_over_rest(world, syndesis_server, pair)
        secret = decoded(await world.get("Secret", naming.secret_ref(pair)))
        assert syndesis_server.password(connection["id"]) == secret["password"]
        assert connection["configuredProperties"]["username"] == secret["username"]
        assert connection["configuredProperties"]["password"].startswith("»ENC:")
        assert connection["metadata"]["managed-by"] == names.FIELD_MANAGER
        assert await world.get("Connection", naming.connection_ref(pair)) is None

        integration = await world.has_reason(pair, "Verified", "ConnectionVerified")
        assert finalizers(integration) == [names.REST_STATE_FINALIZER]
        assert integration["status"]["delivered"]["connection"]["id"] == connection["id"]
        assert condition(integration, "DeliveryChosen")["reason"] == "NativeUserRestConnection"
        assert syndesis_server.verified[-1]["password"] == secret["password"]

        await world.audit.quiet()
        asked = len(syndesis_server.requests)
        await asyncio.sleep(2)
        assert len(syndesis_server.requests) == asked, "nothing is asked at rest"

        status = {"status": {"endpointStatuses": [{"name": "messaging", "serviceHost": "moved.svc",
                  "servicePorts": [{"name": "amqps", "port": 5671}]}]}}  # fmt: skip
        await world.patch("AddressSpace", pair.space, status)

        async def followed() -> bool:
            found = stored_connection(syndesis_server, pair)
            return found is not None and "moved.svc" in found["configuredProperties"]["connectionUri"]

        await world.eventually("the connection follows the endpoint", followed)
        assert syndesis_server.password(connection["id"]) == secret["password"]

        await world.enable(pair, enabled=False)
        integration = await world.has_reason(pair, "NotEnabled")

        async def gone() -> bool:
            found = await world.integration(pair)
            return not syndesis_server.stored() and found is not None and not finalizers(found)

        await world.eventually("connection and finalizer are gone", gone)
        assert (await world.children(pair))["Secret"] is None


async def test_deletion_of_the_integration_takes_the_connection_along(
    world: World, syndesis_server: SyndesisServer
) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        await deliver_over_rest(world, syndesis_server, pair)
        await world.delete("AddressSpace", pair.space)

        async def gone() -> bool:
            return not syndesis_server.stored() and await world.integration(pair) is None

        await world.eventually("the connection goes, then the Integration", gone, within=60)


async def test_a_restart_writes_nothing_and_looks_later(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.platforms():
        async with world.operator(syndesis_url=syndesis_server.url):
            pair = await rest_pair(world)
            await deliver_over_rest(world, syndesis_server, pair)
            await world.has_reason(pair, "Verified", "ConnectionVerified")
            await world.audit.quiet()
        asked = len(syndesis_server.requests)
        world.audit.mark()
        async with world.operator(syndesis_url=syndesis_server.url):
            await world.audit.quiet(seconds=3)
        assert world.audit.writes(OPERATOR) == []
        assert len(syndesis_server.requests) == asked


async def test_drift_is_found_once_in_a_period_with_one_read(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url, verification_seconds=10):
        pair = await rest_pair(world)
        connection = await deliver_over_rest(world, syndesis_server, pair)
        await world.has_reason(pair, "Verified", "ConnectionVerified")
        await world.audit.quiet()
        before = len(syndesis_server.requests)

        async def looked() -> bool:
            return len(syndesis_server.requests) > before

        await world.eventually("it is looked at", looked)
        await asyncio.sleep(6)  # less than a period
        reads = syndesis_server.requests[before:]
        assert [r.method for r in reads] == ["GET"], [f"{r.method} {r.path}" for r in reads]

        async with aiohttp.ClientSession(headers=HEADERS) as user:
            url = f"{syndesis_server.url}/api/v1/connections/{connection['id']}"
            async with user.delete(url) as answer:
                assert answer.status == 204

        async def back() -> bool:
            return stored_connection(syndesis_server, pair) is not None

        await world.eventually("the connection is made again", back, within=30)
        secret = decoded(await world.get("Secret", naming.secret_ref(pair)))
        assert syndesis_server.password(connection["id"]) == secret["password"]


async def test_a_strangers_name_is_refused(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        name = f"EnMasse {pair.space.name} ({pair.space.namespace})"
        mine = {
            "id": "mine",
            "name": name,
            "connectorId": "amqp",
            "configuredProperties": {"connectionUri": "amqp://x"},
        }
        syndesis_server.put_stored(mine)
        before = syndesis_server.stored()
        await world.offered(pair)
        await world.enable(pair)
        integration = await world.has_reason(pair, "ConnectionNameTaken")
        assert name in condition(integration, "ConnectionReady")["message"]
        assert syndesis_server.stored() == before
        await world.has_reason(pair, "UserActive", "UserReady")
