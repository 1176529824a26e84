"""There and back with the operator killed before and after each of its writes: one connection, one login, unchanged."""

from __future__ import annotations

from crashing import Moments, mortal
from test_connection_controller import controller
from test_connection_over_rest import delivered, pair_of
from test_migration_there_and_back import always_one, annotate, settled
from world import World, decoded

from integration_operator.domain import naming
from integration_operator.domain.pair import Pair
from integration_operator.localcluster.syndesis_server import SyndesisServer

LAST = 4
"""Moments at the end that a run may do without: two changes of the status may become one."""


async def there_and_back(world: World, server: SyndesisServer, pair: Pair, identifier: str, moments: Moments) -> None:
    async with mortal(world, moments, syndesis_url=server.url):
        await annotate(world, pair, "native")
        await settled(world, pair, "native", identifier)
        await annotate(world, pair, None)
        await settled(world, pair, "rest", identifier)


async def test_killed_at_every_step(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.enmasse_alone(), controller(world, syndesis_server):
        async with world.operator(syndesis_url=syndesis_server.url):
            pair = await pair_of(world)
            connection = await delivered(world, syndesis_server, pair)
            await world.quiet()
        secret = decoded(await world.get("Secret", naming.secret_ref(pair)))
        undisturbed = Moments()
        async with always_one(syndesis_server):
            await there_and_back(world, syndesis_server, pair, connection["id"], undisturbed)
        assert len(undisturbed.passed) >= 12, "the writes there and back, before and after each"

        for fatal in range(len(undisturbed.passed)):
            moments = Moments(fatal)
            async with always_one(syndesis_server):
                await there_and_back(world, syndesis_server, pair, connection["id"], moments)
            assert moments.died.is_set() or fatal >= len(undisturbed.passed) - LAST, f"not killed at moment {fatal}"
            where = moments.passed[-1] if moments.passed else "the start"
            found = syndesis_server.stored()[connection["id"]]
            assert syndesis_server.password(connection["id"]) == secret["password"], f"killed after {where}"
            assert found["configuredProperties"]["username"] == secret["username"], f"killed after {where}"
            assert decoded(await world.get("Secret", naming.secret_ref(pair))) == secret, f"killed after {where}"
        assert len(await world.items("MessagingUser", pair.space.namespace)) == 1
