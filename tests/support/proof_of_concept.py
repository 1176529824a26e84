"""A cluster of the proof of concept's time, and what the proof of concept left behind in it."""

from __future__ import annotations

from typing import Any

from integration_operator.api import names
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.earlier_enmasse import INFRASTRUCTURE, realm_of, store_space
from tests.support.keycloak_access import all_over_rest
from tests.support.world import World


def poc_settings(keycloak: Keycloak, server: SyndesisServer) -> dict[str, Any]:
    """Return the settings that the profile of the proof of concept gives, for these servers."""
    return {"pairing_rules": ("created-by",), **all_over_rest(keycloak, server)}


async def poc_pair(world: World, keycloak: Keycloak, *, infrastructure: str = INFRASTRUCTURE) -> Pair:
    """Create an AddressSpace and a Syndesis of one user, in two namespaces."""
    shop, fuse = await world.namespace("shop"), await world.namespace("fuse")
    made_by = {"annotations": {names.SYNDESIS_CREATED_BY: "ann"}}
    await world.create("Syndesis", fuse, "syndesis", spec={}, status={"phase": "Installed"}, metadata=made_by)
    pair = Pair(Ref(shop, "orders"), Ref(fuse, "syndesis"))
    keycloak.create_realm(realm_of(pair), shop)
    await store_space(world, pair.space, infrastructure=infrastructure, **{names.ENMASSE_CREATED_BY: "ann"})
    return pair


async def left_behind(world: World, keycloak: Keycloak, server: SyndesisServer, pair: Pair) -> Ref:
    """Create what the proof of concept made of a pair; return the name of both its user and its Integration."""
    name = f"enmasse-{pair.space.name}-to-fuse"
    keycloak.make_user(realm_of(pair), name, "old password")
    server.put_stored(
        {
            "id": "i-old",
            "name": "made by the proof of concept",
            "connectorId": "amqp",
            "userId": "ann",
            "createdDate": 1,
            "configuredProperties": {
                "connectionUri": "amqp://messaging.old.svc:5672",
                "username": name,
                "password": "old password",
            },
        }
    )
    spec = {"serviceProvider": "fuse", "integrationType": "amqp", "client": "syndesis", "enabled": True}
    left = {"phase": "complete", "metaData": {"connectionID": "i-old", "realm": realm_of(pair)}}
    await world.create("Integration", pair.syndesis.namespace, name, spec=spec, status=left)
    return Ref(pair.syndesis.namespace, name)
