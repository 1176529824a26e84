"""What the proof of concept left is taken over by an operator that is killed before and after each of its writes."""

from __future__ import annotations

import pytest

from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.crashing import Moments, kill_at, killed, mortal
from tests.support.earlier_enmasse import realm_of
from tests.support.keycloak_access import store_keycloak_access
from tests.support.logins import delete_pair, login, nothing_left
from tests.support.proof_of_concept import left_behind, poc_pair, poc_settings
from tests.support.rest_delivery import always_one_connection
from tests.support.world import World


@kill_at
@pytest.mark.timeout(600)
async def test_one_login_and_one_connection_are_taken_over(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, every: int
) -> None:
    await store_keycloak_access(old, keycloak)

    async def life(moments: Moments) -> None:
        world = World(old.control_plane, old.kubectl)
        pair = await poc_pair(world, keycloak)
        ref = await left_behind(world, keycloak, syndesis_server, pair)
        async with mortal(world, moments, **poc_settings(keycloak, syndesis_server)):
            async with always_one_connection(syndesis_server):
                integration = await world.ready(ref)
                known = await login(world, pair)
                assert known["username"] == ref.name
                assert keycloak.can_log_in(realm_of(pair), ref.name, known["password"])
                assert len(keycloak.users(realm_of(pair))) == 1
                assert syndesis_server.password("i-old") == known["password"]
                assert integration["status"]["delivered"]["connection"]["id"] == "i-old"
            await world.patch("Integration", ref, {"spec": {"enabled": False}})
            await nothing_left(world, keycloak, syndesis_server, pair)
        await delete_pair(world, keycloak, pair, ref)

    await killed(life, at_least=20, every=every)
