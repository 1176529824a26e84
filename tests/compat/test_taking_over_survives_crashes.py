"""What the proof of concept left is taken over by an operator that is killed before and after each of its writes."""

from __future__ import annotations

import pytest

from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.compat.test_migration_there_and_back import always_one
from tests.compat.test_the_proof_of_concepts_cluster import left_behind, let_in, poc_pair, settings, taken_over
from tests.compat.test_users_on_the_aggregated_api import login, realm
from tests.compat.test_users_survive_crashes import forget, nothing_left
from tests.support.crashing import Moments, killed_at_every_step, mortal
from tests.support.world import World


@pytest.mark.timeout(600)
async def test_killed_at_every_step(old: World, keycloak: Keycloak, syndesis_server: SyndesisServer) -> None:
    await let_in(old, keycloak)

    async def life(moments: Moments) -> None:
        world = World(old.control_plane, old.person)
        pair = await poc_pair(world, keycloak)
        ref = await left_behind(world, keycloak, syndesis_server, pair)
        async with mortal(world, moments, **settings(keycloak, syndesis_server)):
            async with always_one(syndesis_server):
                integration = await taken_over(world, ref)
                known = await login(world, pair)
                assert known["username"] == ref.name
                assert keycloak.can_log_in(realm(pair), ref.name, known["password"])
                assert len(keycloak.users(realm(pair))) == 1
                assert syndesis_server.password("i-old") == known["password"]
                assert integration["status"]["delivered"]["connection"]["id"] == "i-old"
            await world.patch("Integration", ref, {"spec": {"enabled": False}})
            await nothing_left(world, keycloak, syndesis_server, pair)
        await forget(world, keycloak, pair, ref)

    await killed_at_every_step(life, at_least=20)
