"""One rendered document, two ways to its platform: the same is there in the end, the template of a user included."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.policies.ownership import KEYCLOAK_MARK
from integration_operator.shipped import shipped_directory
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.connection_controller import connection_controller
from tests.support.earlier_enmasse import aggregated_api, pair_in_config_map, realm_of
from tests.support.keycloak_access import store_keycloak_access
from tests.support.proof_of_concept import poc_settings
from tests.support.rest_delivery import annotate_delivery, deliver_over_rest, delivered_by, rest_pair
from tests.support.world import World


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    """Write the templates of a user: another name, one more property, and a rule of their own for the MessagingUser."""
    connection = (shipped_directory("templates") / "connection.yaml.j2").read_text()
    connection = connection.replace(
        "  configuredProperties:\n", "  tags: [ours]\n  configuredProperties:\n    clientID: mine\n"
    )
    (tmp_path / "connection.yaml.j2").write_text(connection)
    user = (shipped_directory("templates") / "messaginguser.yaml.j2").read_text()
    rules = "[{operations: [recv], addresses: ['orders/*', 'a b']}]"
    (tmp_path / "messaginguser.yaml.j2").write_text(user.replace("{{ authorization | tojson }}", rules))
    return tmp_path


async def options(world: World, namespace: str) -> None:
    """Create the ConfigMap that the templates read."""
    body = {"metadata": {"name": "options"}, "data": {"client": "mine"}}
    await world.kubectl.post(f"/api/v1/namespaces/{namespace}/configmaps", body)


async def test_a_connection_is_the_same_over_rest_and_as_a_resource(
    world: World, syndesis_server: SyndesisServer, templates: Path
) -> None:
    async with world.enmasse_alone(), world.operator(templates=templates, syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        await options(world, pair.syndesis.namespace)
        over_rest = await deliver_over_rest(world, syndesis_server, pair)
        assert over_rest["configuredProperties"]["clientID"] == "mine"
        assert over_rest["tags"] == ["ours"]
        writes = [r for r in syndesis_server.requests if r.method != "GET" and "verifier" not in r.path]
        async with connection_controller(world, syndesis_server):
            await annotate_delivery(world, pair, "native")
            await delivered_by(world, pair, "native", over_rest["id"])
            assert syndesis_server.stored()[over_rest["id"]] == over_rest, "the controller found nothing to change"
            again = [r for r in syndesis_server.requests if r.method != "GET" and "verifier" not in r.path]
            assert again == writes


async def test_a_user_is_the_same_in_keycloak_and_on_the_api(
    old: World,
    keycloak: Keycloak,
    syndesis_server: SyndesisServer,
    templates: Path,
) -> None:
    seen: dict[str, Any] = {}
    await store_keycloak_access(old, keycloak)
    chosen = {**poc_settings(keycloak, syndesis_server), "address_spaces": "auto", "pairing_rules": ("same-namespace",)}
    async with aggregated_api(old, keycloak, "0.30"):
        for delivery in ("keycloak", "native"):
            pair = await pair_in_config_map(old, keycloak, delivery)
            await options(old, pair.syndesis.namespace)
            async with old.operator(templates=templates, poll_seconds=1, **{**chosen, "user_delivery": delivery}):
                await old.offered(pair)
                await old.enable(pair)
                await old.has_reason(pair, "Ready")
                (user,) = keycloak.users(realm_of(pair))
                attributes = {key: value for key, value in user["attributes"].items() if key != KEYCLOAK_MARK}
                assert attributes["resourceName"] == [naming.user_ref(pair).name]
                seen[delivery] = (
                    sorted(attributes),
                    user["enabled"],
                    keycloak.groups_of(realm_of(pair), user["username"]),
                )
                await old.enable(pair, enabled=False)
                await old.has_reason(pair, "NotEnabled")
                await old.kubectl.delete(f"/api/v1/namespaces/enmasse-infra/configmaps/{pair.space.namespace}.orders")
    assert seen["keycloak"] == seen["native"]
    assert seen["native"][2] == {"recv_orders%2F*", "recv_a+b"}
    assert names.FIELD_MANAGER not in str(seen), "nothing tells ours from EnMasse's own but name and mark"
