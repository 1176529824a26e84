"""Every combination of EnMasse and Syndesis that docs/compatibility.md promises works with ``auto``.

Each goes from the offer to the log-in, and until nothing is left. The Keycloak is a real one.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model.pair import Pair
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.platforms.crd import install_crds
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.keycloak.controller import KeptLogins
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.connection_controller import connection_controller
from tests.support.control_planes import world_on
from tests.support.documents import condition
from tests.support.earlier_enmasse import (
    DEFINITIONS,
    INFRASTRUCTURE,
    aggregated_api,
    drop_space,
    pair_in_config_map,
    realm_of,
)
from tests.support.keycloak_access import store_keycloak_access
from tests.support.keycloak_fixtures import realms_of
from tests.support.logins import deliver_login
from tests.support.rest_delivery import rest_pair
from tests.support.world import World


@dataclass(frozen=True)
class Row:
    """What is chosen of an EnMasse; ``settings`` ask for one of the alternatives that a row names."""

    chosen: str
    source: str
    release: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)


BEFORE_0_31 = {
    "0.21": Row("KeycloakUserRestConnection", "configmap"),
    "0.24": Row("AggregatedUserRestConnection", "aggregated", "0.24"),
    "0.26": Row("AggregatedUserRestConnection", "aggregated", "0.26"),
    "0.30": Row("AggregatedUserRestConnection", "aggregated", "0.30"),
    "0.30 by ConfigMap": Row("AggregatedUserRestConnection", "configmap", "0.30", {"address_spaces": "configmap"}),
    "0.24 with Keycloak": Row("KeycloakUserRestConnection", "aggregated", "0.24", {"user_delivery": "keycloak"}),
}


async def lives(world: World, keycloak: Keycloak, server: SyndesisServer, pair: Pair, row: Row) -> None:
    """Check that a pair is delivered as the row says, can log in, and leaves nothing behind when it is disabled."""
    known = await deliver_login(world, pair)
    integration = await world.integration(pair)
    assert integration is not None
    assert condition(integration, "DeliveryChosen")["reason"] == row.chosen
    assert integration["status"]["delivered"]["source"] == row.source
    assert keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
    (connection,) = server.stored().values()
    assert connection["configuredProperties"]["username"] == known["username"]
    assert server.password(connection["id"]) == known["password"]

    await world.enable(pair, enabled=False)

    async def gone() -> bool:
        found = await world.integration(pair)
        children = any((await world.children(pair)).values()) if await world.serves("MessagingUser") else False
        held = found is None or bool(found["metadata"].get("finalizers"))
        return not (keycloak.users(realm_of(pair)) or server.stored() or children or held)

    await world.eventually("user, connection, Secret and finalizer are gone", gone)
    assert not keycloak.can_log_in(realm_of(pair), known["username"], known["password"])


@pytest.mark.parametrize("row", BEFORE_0_31.values(), ids=BEFORE_0_31.keys())
async def test_before_0_31(old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, row: Row) -> None:
    await store_keycloak_access(old, keycloak)
    where = {"enmasse_namespace": INFRASTRUCTURE, "keycloak_url": keycloak.url, "syndesis_url": syndesis_server.url}
    async with AsyncExitStack() as running:
        if row.release is not None:
            await running.enter_async_context(aggregated_api(old, keycloak, row.release))
        pair = await pair_in_config_map(old, keycloak)
        async with old.operator(poll_seconds=1, **where, **row.settings):
            await lives(old, keycloak, syndesis_server, pair, row)
            await drop_space(old, pair.space)


async def test_since_0_31(world: World, keycloak: Keycloak, syndesis_server: SyndesisServer) -> None:
    async with realms_of(keycloak) as realms, world.enmasse_alone(KeptLogins(realms)):
        pair = await rest_pair(world)
        keycloak.create_realm(realm_of(pair), pair.space.namespace)
        async with world.operator(syndesis_url=syndesis_server.url):
            await lives(world, keycloak, syndesis_server, pair, Row("NativeUserRestConnection", "crd"))


async def test_since_0_31_with_something_that_reconciles_connections(
    world: World, keycloak: Keycloak, syndesis_server: SyndesisServer
) -> None:
    async with realms_of(keycloak) as realms, world.enmasse_alone(KeptLogins(realms)):
        pair = await rest_pair(world)
        keycloak.create_realm(realm_of(pair), pair.space.namespace)
        native = {"metadata": {"annotations": {names.CONNECTION_DELIVERY: "native"}}}
        await world.patch("Syndesis", pair.syndesis, native)
        async with world.operator(syndesis_url=syndesis_server.url), connection_controller(world, syndesis_server):
            await lives(world, keycloak, syndesis_server, pair, Row("NativeUserNativeConnection", "crd"))


async def test_keycloak_of_an_authentication_service_that_names_its_objects(
    upgradable: ControlPlane, keycloak: Keycloak, syndesis_server: SyndesisServer
) -> None:
    """Since 0.27 an AuthenticationService says how its Secrets are called, and an AddressSpace which one it has."""
    came = [DEFINITIONS[kind] for kind in ("AddressSpace", "MessagingUser", "AuthenticationService")]
    install_crds(upgradable.kubeconfig(), came)
    async with world_on(upgradable) as world:
        await store_keycloak_access(world, keycloak)
        described = {"type": "standard", "standard": {"credentialsSecret": {"name": "keycloak-credentials"}}}
        await world.create("AuthenticationService", INFRASTRUCTURE, "standard-authservice", spec=described)
        pair = await rest_pair(world)
        keycloak.create_realm(realm_of(pair), pair.space.namespace)
        where = {"enmasse_namespace": INFRASTRUCTURE, "keycloak_url": keycloak.url, "syndesis_url": syndesis_server.url}
        async with world.operator(user_delivery="keycloak", enmasse_release="0.33", **where):
            await lives(world, keycloak, syndesis_server, pair, Row("KeycloakUserRestConnection", "crd"))
