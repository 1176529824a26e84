"""A binding whose user is in Keycloak: without MessagingUsers and without a Syndesis, and the login ends with it."""

from __future__ import annotations

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator_sandbox.platforms.keycloak import Keycloak
from tests.support.documents import condition, decoded
from tests.support.earlier_enmasse import INFRASTRUCTURE, drop_space, pair_in_config_map, realm_of
from tests.support.keycloak_access import store_keycloak_access
from tests.support.world import World


@pytest.mark.parametrize("end", ["deleted", "disabled", "space gone"])
async def test_the_user_in_keycloak(old: World, keycloak: Keycloak, end: str) -> None:
    await store_keycloak_access(old, keycloak)
    theirs = await pair_in_config_map(old, keycloak)
    await old.delete("Syndesis", theirs.syndesis)
    settings = {"address_spaces": "configmap", "enmasse_namespace": INFRASTRUCTURE, "keycloak_url": keycloak.url}
    async with old.operator(**settings):
        pair = await old.bind(theirs.space, theirs.space.namespace)
        integration = await old.ready(pair.consumer)
        assert condition(integration, "DeliveryChosen")["reason"] == "KeycloakUser"
        secret = await old.get("Secret", naming.secret_ref(pair))
        assert secret is not None
        assert integration["status"]["binding"] == {"name": secret["metadata"]["name"]}
        entries, realm = decoded(secret), realm_of(theirs)
        assert keycloak.can_log_in(realm, entries["username"], entries["password"])
        await old.audit.quiet(seconds=1)

        if end == "space gone":
            await drop_space(old, theirs.space)
        elif end == "disabled":
            await old.enable(pair, enabled=False)
        else:
            await old.delete("Integration", pair.consumer)
        await old.eventually("nothing is left", lambda: nothing_left(old, keycloak, pair, realm, end))
    if end != "space gone":
        await drop_space(old, theirs.space)


async def nothing_left(world: World, keycloak: Keycloak, pair: Pair, realm: str, end: str) -> bool:
    """Return whether login, Secret and finalizer are gone. A realm that goes takes its users with it."""
    integration = await world.integration(pair)
    held = integration is not None and bool(integration["metadata"].get("finalizers"))
    login = end != "space gone" and bool(keycloak.users(realm))
    return not (held or login or await world.get("Secret", naming.secret_ref(pair)))
