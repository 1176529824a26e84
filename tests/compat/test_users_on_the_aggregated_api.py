"""EnMasse 0.22 to 0.30: users by plain requests on an API without watch; they end in a real Keycloak."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.audit_log import OPERATOR
from tests.support.documents import condition
from tests.support.earlier_enmasse import aggregated_api, drop_space, pair_in_config_map, realm_of, store_space
from tests.support.logins import deliver_login, login
from tests.support.world import World


@pytest.mark.parametrize("release", ["0.24", "0.26", "0.30"])
async def test_life_of_a_user(
    old: World,
    keycloak: Keycloak,
    syndesis_server: SyndesisServer,
    release: str,
) -> None:
    async with aggregated_api(old, keycloak, release) as api:
        pair = await pair_in_config_map(old, keycloak)
        async with old.operator(poll_seconds=1, syndesis_url=syndesis_server.url):
            known = await deliver_login(old, pair)
            assert keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
            integration = await old.integration(pair)
            assert integration is not None
            assert condition(integration, "DeliveryChosen")["reason"] == "AggregatedUserRestConnection"
            assert integration["metadata"]["finalizers"] == [names.REST_STATE_FINALIZER]
            assert integration["status"]["delivered"]["user"]["username"] == known["username"]
            assert known["password"] not in str(integration)

            def asked() -> list[tuple[str, str]]:
                return [r for r in api.requests if f"{pair.space.namespace}/messagingusers" in r[1]]

            await asyncio.sleep(1.5)
            before = asked()
            await asyncio.sleep(2.5)
            assert asked() == before, "nothing is asked of users at rest"
            assert "PATCH" not in {method for method, _ in api.requests}

        old.audit.mark()
        async with old.operator(poll_seconds=1, syndesis_url=syndesis_server.url):
            await asyncio.sleep(2.5)
            assert old.audit.writes(OPERATOR) == [], "a restart writes nothing"
            await old.enable(pair, enabled=False)

            async def gone() -> bool:
                return not keycloak.users(realm_of(pair)) and not syndesis_server.stored()

            await old.eventually("user and connection are gone", gone)
            assert not keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
            await drop_space(old, pair.space)


async def test_a_user_left_behind_by_half_a_post_is_mended(
    old: World,
    keycloak: Keycloak,
    syndesis_server: SyndesisServer,
) -> None:
    async with aggregated_api(old, keycloak, "0.30"):
        pair = await pair_in_config_map(old, keycloak)
        name = naming.username(pair)
        attributes = {
            "resourceName": [f"orders.{name}"],
            "resourceNamespace": [pair.space.namespace],
            "authenticationType": ["password"],
            "creationTimestamp": ["2019-01-01T00:00:00.000Z"],
        }
        keycloak.make_user(realm_of(pair), name, attributes=attributes)
        async with old.operator(poll_seconds=1, syndesis_url=syndesis_server.url):
            known = await deliver_login(old, pair)
            assert keycloak.can_log_in(realm_of(pair), name, known["password"])
        await drop_space(old, pair.space)


async def test_a_realm_that_is_late_and_an_outage_pass(
    old: World,
    keycloak: Keycloak,
    syndesis_server: SyndesisServer,
) -> None:
    async with aggregated_api(old, keycloak, "0.30") as api:
        shop = await old.namespace("shop")
        await old.create("Syndesis", shop, "syndesis", spec={}, status={"phase": "Installed"})
        pair = Pair(Ref(shop, "orders"), Ref(shop, "syndesis"))
        await store_space(old, pair.space)
        async with old.operator(poll_seconds=1, syndesis_url=syndesis_server.url):
            await old.offered(pair)
            await old.enable(pair)

            async def said() -> Any:
                found = await old.integration(pair)
                message = condition(found, "UserReady").get("message", "") if found else ""
                return found if "realm" in message else None

            await old.eventually("the missing realm is said", said)
            keycloak.create_realm(realm_of(pair), shop)
            await old.has_reason(pair, "Ready")
            known = await login(old, pair)
            api.broken = 503
            await asyncio.sleep(3)
            assert keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
            assert await old.integration(pair) is not None
            api.broken = None
        await drop_space(old, pair.space)
