"""The operator killed before and after each of its writes: one user, one login, one connection, and nothing left."""

from __future__ import annotations

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.platforms import Login
from integration_operator_sandbox.platforms.crd import install_crds
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.keycloak.controller import KeptLogins
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.control_planes import world_on
from tests.support.crashing import Moments, kill_at, killed, mortal
from tests.support.documents import condition
from tests.support.earlier_enmasse import DEFINITIONS, aggregated_api, pair_in_config_map, realm_of
from tests.support.keycloak_access import store_keycloak_access
from tests.support.keycloak_fixtures import realms_of
from tests.support.logins import always_a_login, delete_pair, deliver_login, login, nothing_left
from tests.support.proof_of_concept import poc_settings
from tests.support.rest_delivery import always_one_connection
from tests.support.world import World


@kill_at
@pytest.mark.timeout(600)
async def test_user_on_the_aggregated_api(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, every: int
) -> None:
    async def life(moments: Moments) -> None:
        world = World(old.control_plane, old.kubectl)
        pair = await pair_in_config_map(world, keycloak)
        async with mortal(world, moments, poll_seconds=1, syndesis_url=syndesis_server.url):
            known = await deliver_login(world, pair)
            assert keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
            assert len(keycloak.users(realm_of(pair))) == 1
            (connection,) = syndesis_server.stored()
            assert syndesis_server.password(connection) == known["password"]
            await world.enable(pair, enabled=False)
            await nothing_left(world, keycloak, syndesis_server, pair)
        await delete_pair(world, keycloak, pair, Ref(pair.syndesis.namespace, naming.integration_name(pair)))

    async with aggregated_api(old, keycloak, "0.30"):
        await killed(life, at_least=16, every=every)


@kill_at
@pytest.mark.timeout(600)
async def test_from_keycloak_to_a_messaging_user_and_back(
    upgradable: ControlPlane, keycloak: Keycloak, syndesis_server: SyndesisServer, every: int
) -> None:
    install_crds(upgradable.kubeconfig(), [DEFINITIONS["AddressSpace"], DEFINITIONS["MessagingUser"]])
    async with world_on(upgradable) as world:
        await store_keycloak_access(world, keycloak)
        chosen = {
            **poc_settings(keycloak, syndesis_server),
            "address_spaces": "crd",
            "pairing_rules": ("same-namespace",),
        }
        pair = Pair(await world.space(await world.namespace("shop")), Ref(world.ns("shop"), "syndesis"))
        await world.create("Syndesis", *pair.syndesis, spec={}, status={"phase": "Installed"})
        keycloak.create_realm(realm_of(pair), pair.space.namespace)
        async with realms_of(keycloak) as realms, world.enmasse_alone(KeptLogins(realms)) as simulated:
            async with world.operator(**chosen):
                await deliver_login(world, pair)

            async def there_and_back(moments: Moments) -> None:
                """Check that EnMasse keeps the login, and that over REST another one comes before it goes."""
                known = await login(world, pair)
                async with always_one_connection(syndesis_server), mortal(world, moments, **chosen):
                    await kept_by(world, pair, "native")
                    expected = {Login(pair.space.namespace, "orders", known["username"]): known["password"]}
                    assert simulated.logins == expected
                    assert keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
                    assert len(keycloak.users(realm_of(pair))) == 1
                    assert await login(world, pair) == known
                    async with always_a_login(keycloak, pair, known["password"]):
                        await kept_by(world, pair, "keycloak")
                        await world.eventually("the old login is gone", lambda: only_one(keycloak, pair))
                    await world.eventually("no MessagingUser is left", lambda: none_left(world, pair))
                    assert simulated.logins == {}
                    now = await login(world, pair)
                    assert now == {**known, "username": naming.other_username(pair, known["username"])}
                    assert keycloak.can_log_in(realm_of(pair), now["username"], now["password"])

            await killed(there_and_back, at_least=8, every=every)


async def none_left(world: World, pair: Pair) -> bool:
    return not await world.items("MessagingUser", pair.space.namespace)


async def only_one(keycloak: Keycloak, pair: Pair) -> bool:
    return len(keycloak.users(realm_of(pair))) == 1


async def kept_by(world: World, pair: Pair, delivery: str) -> None:
    """Ask for a delivery of the user, and wait until it is Ready that way."""
    ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
    await world.patch("Integration", ref, {"spec": {"delivery": {"user": delivery}}})

    async def kept() -> bool:
        found = await world.integration(pair)
        assert found is not None
        user = found["status"]["delivered"].get("user") or {}
        return user.get("delivery") == delivery and condition(found, "Ready")["status"] == "True"

    await world.eventually(f"the user is kept by {delivery}", kept)
