"""EnMasse 0.30 becomes 0.31 under the running operator: nothing is deleted, nothing is doubled, every login stays.

As EnMasse does it: its API goes and the kinds come, users in Keycloak become MessagingUsers without a password,
AddressSpaces are made anew with other uids, and their ConfigMaps are deleted.
"""

from __future__ import annotations

import asyncio

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.platforms.crd import install_crds
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.keycloak.controller import KeptLogins
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.control_planes import world_on
from tests.support.earlier_enmasse import DEFINITIONS, aggregated_api, drop_space, pair_in_config_map, realm_of
from tests.support.keycloak_fixtures import realms_of
from tests.support.logins import deliver_login, login
from tests.support.rest_delivery import always_one_connection
from tests.support.world import World


async def convert_users(world: World, keycloak: Keycloak, pair: Pair) -> None:
    """Create a MessagingUser without a password for each user in the realm (upgrader.go:204-293 @0.33.1)."""
    for user in keycloak.users(realm_of(pair)):
        name = user["attributes"]["resourceName"][0]
        spec = {
            "username": user["username"],
            "authentication": {"type": "password"},
            "authorization": [{"operations": ["send", "recv"], "addresses": ["*"]}],
        }
        await world.create("MessagingUser", pair.space.namespace, name, spec=spec)


@pytest.mark.parametrize("restarted", [False, True], ids=["operator running", "operator restarted meanwhile"])
async def test_login_and_connection_stay_through_an_upgrade(
    upgradable: ControlPlane, keycloak: Keycloak, syndesis_server: SyndesisServer, restarted: bool
) -> None:
    async with world_on(upgradable) as world:
        settings = {"poll_seconds": 1, "syndesis_url": syndesis_server.url}
        operator = world.operator(**settings)
        await operator.__aenter__()
        try:
            async with aggregated_api(world, keycloak, "0.30") as api:
                pair = await pair_in_config_map(world, keycloak)
                known = await deliver_login(world, pair)
                before = await world.integration(pair)
                assert before is not None
                async with always_one_connection(syndesis_server):
                    await api.unregister()
                    if restarted:
                        await operator.__aexit__(None, None, None)
                    install_crds(upgradable.kubeconfig(), [DEFINITIONS["AddressSpace"], DEFINITIONS["MessagingUser"]])
                    if restarted:
                        operator = world.operator(**settings)
                        await operator.__aenter__()
                    await drop_space(world, pair.space)
                    await asyncio.sleep(3)
                    assert await login(world, pair) == known, "what is not moved yet stays as it is"
                    assert keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
                    await convert_users(world, keycloak, pair)
                    async with realms_of(keycloak) as realms, world.enmasse_alone(KeptLogins(realms)):
                        await world.space(pair.space.namespace)
                        await world.has_reason(pair, "UserActive", "UserReady")
                        await world.has_reason(pair, "Ready")

                        async def native() -> bool:
                            found = await world.integration(pair)
                            user = (((found or {}).get("status") or {}).get("delivered") or {}).get("user") or {}
                            return user.get("delivery") == "native"

                        await world.eventually("the user is a resource's now", native)
                    (user,) = keycloak.users(realm_of(pair))
                    assert user["username"] == known["username"]
                    assert keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
                    users = await world.items("MessagingUser", pair.space.namespace)
                    assert [u["metadata"]["name"] for u in users] == [naming.user_ref(pair).name]
                    assert await login(world, pair) == known
                    after = await world.integration(pair)
                    assert after is not None
                    assert after["metadata"]["uid"] == before["metadata"]["uid"]
                    said = [i["status"]["delivered"]["connection"]["id"] for i in (before, after)]
                    assert said[0] == said[1]
                ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
                async with realms_of(keycloak) as realms, world.enmasse_alone(KeptLogins(realms)):
                    await world.patch("Integration", ref, {"spec": {"enabled": False}})
                    await world.taken_down(pair)
                assert keycloak.users(realm_of(pair)) == []
        finally:
            await operator.__aexit__(None, None, None)
