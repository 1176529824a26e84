"""A rotation over REST, killed at its writes: what the connection has can log in, and the earlier credential ends."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.crashing import Moments, kill_seldom_at, killed, mortal
from tests.support.earlier_enmasse import aggregated_api, pair_in_config_map, realm_of
from tests.support.keycloak_access import store_keycloak_access
from tests.support.logins import delete_pair, deliver_login, login, nothing_left
from tests.support.proof_of_concept import poc_settings
from tests.support.repeatedly import repeatedly
from tests.support.rest_delivery import always_one_connection
from tests.support.world import World


@kill_seldom_at
@pytest.mark.parametrize("delivery", ["keycloak", "aggregated"])
@pytest.mark.timeout(600)
async def test_killed_at_any_step(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, delivery: str, every: int
) -> None:
    await store_keycloak_access(old, keycloak)
    settings = {**poc_settings(keycloak, syndesis_server), "pairing_rules": ("same-namespace",)}
    if delivery == "aggregated":
        settings = {"poll_seconds": 1, "syndesis_url": syndesis_server.url}

    async def life(moments: Moments) -> None:
        world = World(old.control_plane, old.kubectl)
        pair = await pair_in_config_map(world, keycloak)
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        async with mortal(world, moments, **settings):
            before = await deliver_login(world, pair)
            async with always_one_connection(syndesis_server), it_can_log_in(keycloak, syndesis_server, pair):
                request = {"annotations": {names.ROTATE: "now"}}
                await world.patch("Integration", ref, {"metadata": request, "spec": {"rotation": {"overlap": "1s"}}})
                await world.has_reason(pair, "Rotated", "Rotating")
            after = await login(world, pair)
            assert after["username"] == naming.other_username(pair, before["username"])
            assert not keycloak.can_log_in(realm_of(pair), before["username"], before["password"])
            assert keycloak.can_log_in(realm_of(pair), after["username"], after["password"])
            assert len(keycloak.users(realm_of(pair))) == 1
            (connection,) = syndesis_server.stored()
            assert syndesis_server.password(connection) == after["password"]
            await world.enable(pair, enabled=False)
            await nothing_left(world, keycloak, syndesis_server, pair)
        await delete_pair(world, keycloak, pair, ref)

    if delivery == "aggregated":
        async with aggregated_api(old, keycloak, "0.30"):
            await killed(life, at_least=20, every=every)
    else:
        await killed(life, at_least=20, every=every)


def it_can_log_in(keycloak: Keycloak, server: SyndesisServer, pair: Pair) -> AbstractAsyncContextManager[None]:
    """Check during the block that what the connection has can log in, and that there are at most two users."""

    def look() -> None:
        ((identifier, connection),) = server.stored().items()
        username, password = connection["configuredProperties"]["username"], server.password(identifier)
        assert keycloak.can_log_in(realm_of(pair), username, password), f"{username} cannot log in"
        assert len(keycloak.users(realm_of(pair))) <= 2

    return repeatedly(look, every=0.1)
