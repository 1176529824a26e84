"""Over REST the Integration is all that shows a login: whatever becomes of it, the login ends with it."""

from __future__ import annotations

import base64
from contextlib import suppress
from typing import Any

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.errors import ApiError, Invalid
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.planes import INFRASTRUCTURE, drop_space, store_space
from tests.support.world import World, condition

SECRETS = f"/api/v1/namespaces/{INFRASTRUCTURE}/secrets"


def realm(pair: Pair) -> str:
    return f"{pair.space.namespace}-{pair.space.name}"


@pytest.fixture
async def pair(old: World, keycloak: Keycloak) -> Pair:
    """An AddressSpace with a realm, and what EnMasse keeps about its Keycloak."""
    login = {"admin.username": keycloak.admin_username, "admin.password": keycloak.admin_password}
    for name, data in (
        ("keycloak-credentials", login),
        ("standard-authservice-cert", {"tls.crt": keycloak.certificate}),
    ):
        with suppress(ApiError):
            await old.person.delete(f"{SECRETS}/{name}")
        encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        await old.person.post(SECRETS, {"metadata": {"name": name}, "data": encoded})
    shop = await old.namespace("shop")
    await old.create("Syndesis", shop, "syndesis", spec={}, status={"phase": "Installed"})
    made = Pair(Ref(shop, "orders"), Ref(shop, "syndesis"))
    keycloak.create_realm(realm(made), shop)
    await store_space(old, made.space)
    return made


def settings(keycloak: Keycloak, server: SyndesisServer) -> dict[str, Any]:
    return {
        "address_spaces": "configmap",
        "user_delivery": "keycloak",
        "connection_delivery": "rest",
        "enmasse_namespace": INFRASTRUCTURE,
        "keycloak_url": keycloak.url,
        "syndesis_url": server.url,
    }


async def ready(world: World, ref: Ref) -> dict[str, Any]:
    async def check() -> Any:
        found = await world.get("Integration", ref)
        return found if found and condition(found, "Ready").get("status") == "True" else None

    return await world.eventually(f"{ref} is Ready", check)  # type: ignore[no-any-return]


async def nothing_left(world: World, keycloak: Keycloak, server: SyndesisServer, pair: Pair) -> None:
    async def check() -> bool:
        return not keycloak.users(realm(pair)) and not server.stored()

    await world.eventually("login and connection are gone", check, within=10)


async def test_an_integration_whose_finalizer_a_tenant_took_off(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, pair: Pair
) -> None:
    ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
    async with old.operator(**settings(keycloak, syndesis_server)):
        await old.offered(pair)
        await old.enable(pair)
        await ready(old, ref)
        await old.delete("Integration", ref, propagationPolicy="Background")
        with suppress(ApiError):
            await old.patch("Integration", ref, {"metadata": {"finalizers": None}})
        await nothing_left(old, keycloak, syndesis_server, pair)
    await drop_space(old, pair.space)


async def test_its_servers_are_asked_until_they_answer(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, pair: Pair
) -> None:
    """Syndesis answers nothing while the Integration goes; meanwhile the login is closed, and nothing is offered."""
    ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
    async with old.operator(**settings(keycloak, syndesis_server)):
        await old.offered(pair)
        await old.enable(pair)
        await ready(old, ref)
        syndesis_server.fail(times=1_000_000, status=503)
        await old.delete("Integration", ref)
        with suppress(ApiError):
            await old.patch("Integration", ref, {"metadata": {"finalizers": None}})

        async def closed() -> bool:
            return not keycloak.users(realm(pair))

        await old.eventually("the login is closed", closed, within=10)
        assert syndesis_server.stored()
        syndesis_server.recover()
        await nothing_left(old, keycloak, syndesis_server, pair)
        await old.offered(pair)
        await old.enable(pair)
        await ready(old, ref)
        await old.enable(pair, enabled=False)
        await nothing_left(old, keycloak, syndesis_server, pair)
    await drop_space(old, pair.space)


async def test_one_of_the_proof_of_concept_whose_address_space_is_gone(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, pair: Pair
) -> None:
    """It names its AddressSpace by its own name alone, and that leads nowhere any more."""
    ref = Ref(pair.syndesis.namespace, f"enmasse-{pair.space.name}-to-fuse")
    spec = {"client": pair.syndesis.name, "enabled": True}
    async with old.operator(**settings(keycloak, syndesis_server)):
        await old.create("Integration", *ref, spec=spec)
        await ready(old, ref)
        await drop_space(old, pair.space)

        async def disconnected() -> bool:
            return not syndesis_server.stored()

        await old.eventually("the connection goes", disconnected, within=10)
        await old.delete("Integration", ref)

        async def gone() -> bool:
            return await old.get("Integration", ref) is None

        await old.eventually("the Integration goes", gone, within=10)


async def test_one_that_names_no_syndesis_stays_with_its_own(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, pair: Pair
) -> None:
    """With another Syndesis it would stand for another pair, and nothing would show the login of this one."""
    ref = Ref(pair.syndesis.namespace, "mine")
    spec = {"addressSpaceRef": pair.space._asdict(), "enabled": True}
    async with old.operator(**settings(keycloak, syndesis_server)):
        await old.create("Integration", *ref, spec=spec)
        await ready(old, ref)
        await old.create("Syndesis", ref.namespace, "second", spec={}, status={"phase": "Installed"})
        for client in ("second", "", None):
            with pytest.raises(Invalid):
                await old.patch("Integration", ref, {"spec": {"client": client}})
        await old.delete("Integration", ref)
        await nothing_left(old, keycloak, syndesis_server, pair)
    await drop_space(old, pair.space)
