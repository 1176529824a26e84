"""What EnMasse keeps in its namespace about its Keycloak, and the settings of an operator that uses it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from integration_operator.runtime.errors import ApiError
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import secret_data
from tests.support.earlier_enmasse import INFRASTRUCTURE
from tests.support.world import World


async def store_keycloak_access(
    world: World, keycloak: Keycloak, password: str | None = None, *, infrastructure: str = INFRASTRUCTURE
) -> None:
    """Store the admin's credentials and the certificate as EnMasse does; replace what is stored already."""
    secrets = f"/api/v1/namespaces/{infrastructure}/secrets"
    login = {"admin.username": keycloak.admin_username, "admin.password": password or keycloak.admin_password}
    for name, data in (
        ("keycloak-credentials", login),
        ("standard-authservice-cert", {"tls.crt": keycloak.certificate}),
    ):
        with suppress(ApiError):
            await world.kubectl.delete(f"{secrets}/{name}")
        await world.kubectl.post(secrets, {"metadata": {"name": name}, "data": secret_data(data)})


def where(keycloak: Keycloak, server: SyndesisServer) -> dict[str, Any]:
    """Return the settings that name EnMasse's namespace, this Keycloak and this Syndesis server."""
    return {"enmasse_namespace": INFRASTRUCTURE, "keycloak_url": keycloak.url, "syndesis_url": server.url}


def all_over_rest(keycloak: Keycloak, server: SyndesisServer) -> dict[str, Any]:
    """Return the settings for AddressSpaces in ConfigMaps, users in Keycloak and connections over REST."""
    return {
        "address_spaces": "configmap",
        "user_delivery": "keycloak",
        "connection_delivery": "rest",
        **where(keycloak, server),
    }
