"""`auto` chooses the deliveries by what the cluster serves, reports the choice, and chooses again when that changes."""

from __future__ import annotations

import asyncio
import io
from typing import Any

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import condition
from tests.support.earlier_enmasse import drop_space, realm_of
from tests.support.keycloak_access import store_keycloak_access
from tests.support.logins import login
from tests.support.proof_of_concept import poc_pair
from tests.support.rest_delivery import deliver_over_rest, finalizers, rest_pair
from tests.support.world import World

DEFINITION = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/connections.syndesis.io"


async def test_without_messaging_users_it_is_keycloak(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, operator_log: io.StringIO
) -> None:
    await store_keycloak_access(old, keycloak)
    chosen: dict[str, Any] = {
        "pairing_rules": ("created-by",),
        "keycloak_url": keycloak.url,
        "syndesis_url": syndesis_server.url,
    }
    async with old.operator(**chosen):
        pair = await poc_pair(old, keycloak)
        await old.offered(pair)
        await old.enable(pair)
        integration = await old.has_reason(pair, "Ready")
        known = await login(old, pair)
        assert keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
        said = condition(integration, "DeliveryChosen")
        assert said["reason"] == "KeycloakUserRestConnection"
        for part in ("ConfigMaps", "has no MessagingUser", "placeholder"):
            assert part in said["message"]
        await old.enable(pair, enabled=False)
        await old.has_reason(pair, "NotEnabled")
        await drop_space(old, pair.space)
    shown = operator_log.getvalue()
    assert pair.space.name in shown, "there was a log to look at"
    for secret in (known["password"], keycloak.admin_password):
        assert secret not in shown


async def test_a_connection_kind_of_syndesis_own_appears(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.enmasse_alone(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        connection = await deliver_over_rest(world, syndesis_server, pair)
        labels = {"metadata": {"labels": {names.PLACEHOLDER_LABEL: None}}}
        back = {"metadata": {"labels": {names.PLACEHOLDER_LABEL: "true"}}}
        try:
            await world.kubectl.patch(DEFINITION, labels)
            integration = await world.has_reason(pair, "NativeUserNativeConnection", "DeliveryChosen")
            assert "not the operator's placeholder" in condition(integration, "DeliveryChosen")["message"]
            found = await world.get("Connection", naming.connection_ref(pair))
            assert found is not None
            assert found["spec"]["connectionId"] == connection["id"]
        finally:
            await world.kubectl.patch(DEFINITION, back)
        await world.has_reason(pair, "NativeUserRestConnection", "DeliveryChosen")


async def test_native_delivery_asks_nothing_over_rest(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url, verification_seconds=10):
        pair = await world.pair()
        await world.deliver(pair)
        integration = await world.has_reason(pair, "Ready")
        assert finalizers(integration) == []
        await asyncio.sleep(1)
        assert syndesis_server.requests == []
