"""Over REST the Integration is all that shows a login: whatever becomes of it, the login ends with it."""

from __future__ import annotations

from contextlib import suppress

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.errors import ApiError, Invalid
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.earlier_enmasse import drop_space, pair_in_config_map, realm_of
from tests.support.keycloak_access import all_over_rest, store_keycloak_access
from tests.support.logins import deliver_login
from tests.support.world import World


@pytest.fixture
async def pair(old: World, keycloak: Keycloak) -> Pair:
    """Create a pair whose users are in Keycloak."""
    await store_keycloak_access(old, keycloak)
    return await pair_in_config_map(old, keycloak)


async def disconnected(world: World, keycloak: Keycloak, server: SyndesisServer, pair: Pair) -> None:
    """Wait until login and connection are gone."""

    async def check() -> bool:
        return not keycloak.users(realm_of(pair)) and not server.stored()

    await world.eventually("login and connection are gone", check, within=10)


async def test_an_integration_whose_finalizer_a_tenant_took_off(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, pair: Pair
) -> None:
    ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
    async with old.operator(**all_over_rest(keycloak, syndesis_server)):
        await deliver_login(old, pair)
        await old.delete("Integration", ref, propagationPolicy="Background")
        with suppress(ApiError):
            await old.patch("Integration", ref, {"metadata": {"finalizers": None}})
        await disconnected(old, keycloak, syndesis_server, pair)
    await drop_space(old, pair.space)


async def test_its_servers_are_asked_until_they_answer(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, pair: Pair
) -> None:
    """Syndesis answers nothing while the Integration goes; meanwhile the login is closed, and nothing is offered."""
    ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
    async with old.operator(**all_over_rest(keycloak, syndesis_server)):
        await deliver_login(old, pair)
        syndesis_server.fail(times=1_000_000, status=503)
        await old.delete("Integration", ref)
        with suppress(ApiError):
            await old.patch("Integration", ref, {"metadata": {"finalizers": None}})

        async def closed() -> bool:
            return not keycloak.users(realm_of(pair))

        await old.eventually("the login is closed", closed, within=10)
        assert syndesis_server.stored()
        syndesis_server.recover()
        await disconnected(old, keycloak, syndesis_server, pair)
        await deliver_login(old, pair)
        await old.enable(pair, enabled=False)
        await disconnected(old, keycloak, syndesis_server, pair)
    await drop_space(old, pair.space)


async def test_one_of_the_proof_of_concept_whose_address_space_is_gone(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, pair: Pair
) -> None:
    """It names its AddressSpace by its own name alone, and that leads nowhere any more."""
    ref = Ref(pair.syndesis.namespace, f"enmasse-{pair.space.name}-to-fuse")
    spec = {"client": pair.syndesis.name, "enabled": True}
    async with old.operator(**all_over_rest(keycloak, syndesis_server)):
        await old.create("Integration", *ref, spec=spec)
        await old.ready(ref)
        await drop_space(old, pair.space)

        async def connection_gone() -> bool:
            return not syndesis_server.stored()

        await old.eventually("the connection goes", connection_gone, within=10)
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
    async with old.operator(**all_over_rest(keycloak, syndesis_server)):
        await old.create("Integration", *ref, spec=spec)
        await old.ready(ref)
        await old.create("Syndesis", ref.namespace, "second", spec={}, status={"phase": "Installed"})
        for client in ("second", "", None):
            with pytest.raises(Invalid):
                await old.patch("Integration", ref, {"spec": {"client": client}})
        await old.delete("Integration", ref)
        await disconnected(old, keycloak, syndesis_server, pair)
    await drop_space(old, pair.space)
