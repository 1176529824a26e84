"""The operator killed before and after each of its writes: one user, one login, one connection, and nothing left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.client import Client
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.platforms import Login
from integration_operator_sandbox.platforms.crd import install_crds
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.keycloak.controller import KeptLogins
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.compat.test_migration_there_and_back import always_one
from tests.compat.test_the_proof_of_concepts_cluster import let_in, settings
from tests.compat.test_users_on_the_aggregated_api import enmasse, login, old_pair, ready, realm
from tests.support.crashing import Moments, killed_at_every_step, mortal
from tests.support.keycloak_fixture import realms_of
from tests.support.planes import DEFINITIONS, drop_space
from tests.support.world import World, condition


async def nothing_left(world: World, keycloak: Keycloak, server: SyndesisServer, pair: Pair) -> None:
    """Wait until user, connection, Secret and finalizer are gone."""

    async def gone() -> bool:
        integrations = await world.items("Integration", pair.syndesis.namespace)
        held = any(i["metadata"].get("finalizers") for i in integrations)
        secrets = await world.items("Secret", pair.syndesis.namespace)
        return not (held or secrets or keycloak.users(realm(pair)) or server.stored())

    await world.eventually("nothing is left", gone)


async def forget(world: World, keycloak: Keycloak, pair: Pair, integration: Ref) -> None:
    """Take back what a life began with, so that the next one is alone."""
    await world.delete("Integration", integration)
    await world.delete("Syndesis", pair.syndesis)
    await drop_space(world, pair.space)
    keycloak.delete_realm(realm(pair))


@pytest.mark.timeout(600)
async def test_user_on_the_aggregated_api(old: World, keycloak: Keycloak, syndesis_server: SyndesisServer) -> None:
    async def life(moments: Moments) -> None:
        world = World(old.control_plane, old.person)
        pair = await old_pair(world, keycloak)
        async with mortal(world, moments, poll_seconds=1, syndesis_url=syndesis_server.url):
            known = await ready(world, pair)
            assert keycloak.can_log_in(realm(pair), known["username"], known["password"])
            assert len(keycloak.users(realm(pair))) == 1
            (connection,) = syndesis_server.stored()
            assert syndesis_server.password(connection) == known["password"]
            await world.enable(pair, enabled=False)
            await nothing_left(world, keycloak, syndesis_server, pair)
        await forget(world, keycloak, pair, Ref(pair.syndesis.namespace, naming.integration_name(pair)))

    async with enmasse(old, keycloak, "0.30"):
        await killed_at_every_step(life, at_least=16)


@pytest.mark.timeout(600)
async def test_from_keycloak_to_a_messaging_user_and_back(
    upgradable: ControlPlane, keycloak: Keycloak, syndesis_server: SyndesisServer
) -> None:
    install_crds(upgradable.kubeconfig(), [DEFINITIONS["AddressSpace"], DEFINITIONS["MessagingUser"]])
    async with Client.from_kubeconfig(upgradable.kubeconfig("user"), user_agent="kubectl") as person:
        world = World(upgradable, person)
        await let_in(world, keycloak)
        chosen = {**settings(keycloak, syndesis_server), "address_spaces": "crd", "pairing_rules": ("same-namespace",)}
        pair = Pair(await world.space(await world.namespace("shop")), Ref(world.ns("shop"), "syndesis"))
        await world.create("Syndesis", *pair.syndesis, spec={}, status={"phase": "Installed"})
        keycloak.create_realm(realm(pair), pair.space.namespace)
        async with realms_of(keycloak) as realms, world.enmasse_alone(KeptLogins(realms)) as simulated:
            async with world.operator(**chosen):
                await ready(world, pair)

            async def there_and_back(moments: Moments) -> None:
                """EnMasse goes on with the same login; over REST another one is made before it is deleted."""
                known = await login(world, pair)
                async with always_one(syndesis_server), mortal(world, moments, **chosen):
                    await kept_by(world, pair, "native")
                    expected = {Login(pair.space.namespace, "orders", known["username"]): known["password"]}
                    assert simulated.logins == expected
                    assert keycloak.can_log_in(realm(pair), known["username"], known["password"])
                    assert len(keycloak.users(realm(pair))) == 1
                    assert await login(world, pair) == known
                    async with always_a_login(keycloak, pair, known["password"]):
                        await kept_by(world, pair, "keycloak")
                        await world.eventually("the old login is gone", lambda: only_one(keycloak, pair))
                    await world.eventually("no MessagingUser is left", lambda: none_left(world, pair))
                    assert simulated.logins == {}
                    now = await login(world, pair)
                    assert now == {**known, "username": naming.other_username(pair, known["username"])}
                    assert keycloak.can_log_in(realm(pair), now["username"], now["password"])

            await killed_at_every_step(there_and_back, at_least=8)


async def none_left(world: World, pair: Pair) -> bool:
    return not await world.items("MessagingUser", pair.space.namespace)


async def only_one(keycloak: Keycloak, pair: Pair) -> bool:
    return len(keycloak.users(realm(pair))) == 1


@asynccontextmanager
async def always_a_login(keycloak: Keycloak, pair: Pair, password: str) -> AsyncIterator[None]:
    """At no moment of the block is there no user who can log in."""
    over = asyncio.Event()

    async def look() -> None:
        while not over.is_set():
            logins = [keycloak.can_log_in(realm(pair), name, password) for name in naming.usernames(pair)]
            assert any(logins), "nobody can log in"
            await asyncio.sleep(0.05)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        over.set()
        await looking


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
