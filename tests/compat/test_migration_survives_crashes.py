"""There and back with the operator killed before and after each of its writes: one connection, one login, unchanged."""

from __future__ import annotations

from integration_operator.domain.model import naming
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.connection_controller import connection_controller
from tests.support.crashing import Moments, killed, mortal
from tests.support.documents import decoded
from tests.support.rest_delivery import (
    always_one_connection,
    annotate_delivery,
    deliver_over_rest,
    delivered_by,
    rest_pair,
)
from tests.support.world import World


async def test_killed_at_every_step(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.enmasse_alone(), connection_controller(world, syndesis_server):
        async with world.operator(syndesis_url=syndesis_server.url):
            pair = await rest_pair(world)
            identifier = (await deliver_over_rest(world, syndesis_server, pair))["id"]
            await world.audit.quiet()
        secret = decoded(await world.get("Secret", naming.secret_ref(pair)))

        async def there_and_back(moments: Moments) -> None:
            async with always_one_connection(syndesis_server), mortal(world, moments, syndesis_url=syndesis_server.url):
                await annotate_delivery(world, pair, "native")
                await delivered_by(world, pair, "native", identifier)
                await annotate_delivery(world, pair, None)
                await delivered_by(world, pair, "rest", identifier)
            found = syndesis_server.stored()[identifier]
            assert syndesis_server.password(identifier) == secret["password"]
            assert found["configuredProperties"]["username"] == secret["username"]
            assert decoded(await world.get("Secret", naming.secret_ref(pair))) == secret

        await killed(there_and_back, at_least=12)
        assert len(await world.items("MessagingUser", pair.space.namespace)) == 1
