"""Logins of pairs whose users are in a real Keycloak: delivered, at all times valid, and gone without a trace."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import decoded
from tests.support.earlier_enmasse import drop_space, realm_of
from tests.support.repeatedly import repeatedly
from tests.support.world import World


async def login(world: World, pair: Pair) -> dict[str, str]:
    """Return user name and password from the pair's Secret."""
    secret = await world.get("Secret", naming.secret_ref(pair))
    assert secret is not None
    return {key: decoded(secret)[key] for key in ("username", "password")}


async def deliver_login(world: World, pair: Pair) -> dict[str, str]:
    """Enable the pair, wait until it is Ready, and return its login."""
    await world.offered(pair)
    await world.enable(pair)
    await world.has_reason(pair, "Ready")
    return await login(world, pair)


@asynccontextmanager
async def always_a_login(keycloak: Keycloak, pair: Pair, password: str) -> AsyncIterator[None]:
    """Check during the block that at least one user of the pair can log in at any moment."""

    def look() -> None:
        logins = [keycloak.can_log_in(realm_of(pair), name, password) for name in naming.usernames(pair)]
        assert any(logins), "no user can log in"

    async with repeatedly(look, every=0.05):
        yield


async def nothing_left(world: World, keycloak: Keycloak, server: SyndesisServer, pair: Pair) -> None:
    """Wait until user, connection, Secret and finalizer are gone."""

    async def gone() -> bool:
        integrations = await world.items("Integration", pair.syndesis.namespace)
        held = any(i["metadata"].get("finalizers") for i in integrations)
        secrets = await world.items("Secret", pair.syndesis.namespace)
        return not (held or secrets or keycloak.users(realm_of(pair)) or server.stored())

    await world.eventually("nothing is left", gone)


async def delete_pair(world: World, keycloak: Keycloak, pair: Pair, integration: Ref) -> None:
    """Delete what a pair was made of: Integration, Syndesis, AddressSpace and realm."""
    await world.delete("Integration", integration)
    await world.delete("Syndesis", pair.syndesis)
    await drop_space(world, pair.space)
    keycloak.delete_realm(realm_of(pair))
