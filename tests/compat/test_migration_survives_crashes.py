"""There and back with the operator killed before and after each of its writes: one connection, one login, unchanged."""

from __future__ import annotations

from integration_operator.domain.model import naming
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.compat.test_connection_controller import controller
from tests.compat.test_connection_over_rest import delivered, pair_of
from tests.compat.test_migration_there_and_back import always_one, annotate, settled
from tests.support.crashing import Moments, killed_at_every_step, mortal
from tests.support.world import World, decoded


async def test_killed_at_every_step(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.enmasse_alone(), controller(world, syndesis_server):
        async with world.operator(syndesis_url=syndesis_server.url):
            pair = await pair_of(world)
            identifier = (await delivered(world, syndesis_server, pair))["id"]
            await world.quiet()
        secret = decoded(await world.get("Secret", naming.secret_ref(pair)))

        async def there_and_back(moments: Moments) -> None:
            async with always_one(syndesis_server), mortal(world, moments, syndesis_url=syndesis_server.url):
                await annotate(world, pair, "native")
                await settled(world, pair, "native", identifier)
                await annotate(world, pair, None)
                await settled(world, pair, "rest", identifier)
            found = syndesis_server.stored()[identifier]
            assert syndesis_server.password(identifier) == secret["password"]
            assert found["configuredProperties"]["username"] == secret["username"]
            assert decoded(await world.get("Secret", naming.secret_ref(pair))) == secret

        await killed_at_every_step(there_and_back, at_least=12)
        assert len(await world.items("MessagingUser", pair.space.namespace)) == 1
