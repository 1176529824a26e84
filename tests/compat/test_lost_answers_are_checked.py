"""A call without an answer may have taken effect: the operator checks, whatever is desired by then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.backends import RemoteBackend
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import DeleteRemote, EnsureRemote
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.remote_state import RemoteState
from integration_operator.runtime.errors import Failure
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import condition, encoded
from tests.support.earlier_enmasse import INFRASTRUCTURE, aggregated_api, drop_space, pair_in_config_map, realm_of
from tests.support.keycloak_access import store_keycloak_access
from tests.support.rest_delivery import deliver_over_rest, finalizers, rest_pair
from tests.support.world import World


@dataclass
class AnswersLost:
    """A delivery that does what it is asked for, and whose answers never come."""

    real: RemoteBackend
    of: type[EnsureRemote] | type[DeleteRemote]
    done: int = 0

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        made = await self.real.ensure(action)
        self._lose(action)
        return made

    async def delete(self, action: DeleteRemote) -> Any:
        said = await self.real.delete(action)
        self._lose(action)
        return said

    def _lose(self, action: EnsureRemote | DeleteRemote) -> None:
        if isinstance(action, self.of):
            self.done += 1
            raise Failure("NoAnswer", "the connection was lost")

    async def close(self) -> None:
        await self.real.close()


async def did_something(world: World, delivery: AnswersLost) -> None:
    async def done() -> bool:
        return delivery.done > 0

    await world.eventually("something is done that nobody hears of", done)


async def disabled_after(world: World, pair: Pair, delivery: AnswersLost) -> dict[str, Any]:
    """Enable a pair until something was done for it without an answer, then disable it; the Integration afterwards."""
    await world.offered(pair)
    await world.enable(pair)

    await did_something(world, delivery)
    await world.enable(pair, enabled=False)

    async def let_go() -> Any:
        found = await world.has_reason(pair, "NotEnabled")
        return found if not finalizers(found) else None

    found: dict[str, Any] = await world.eventually("our finalizer goes", let_go)
    return found


async def test_a_connection_that_may_be_there_goes(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url) as operator:
        delivery = operator.remote_backends["rest"] = AnswersLost(operator.remote_backends["rest"], EnsureRemote)
        pair = await rest_pair(world)
        await disabled_after(world, pair, delivery)
        assert syndesis_server.stored() == {}


async def test_a_connection_that_may_be_gone_is_made_again(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.platforms(), world.operator(syndesis_url=syndesis_server.url) as operator:
        pair = await rest_pair(world)
        await deliver_over_rest(world, syndesis_server, pair)
        delivery = operator.remote_backends["rest"] = AnswersLost(operator.remote_backends["rest"], DeleteRemote)
        await world.enable(pair, enabled=False)
        await did_something(world, delivery)
        await world.enable(pair)

        async def back() -> bool:
            return len(syndesis_server.stored()) == 1

        await world.eventually("it is there again", back)
        await world.has_reason(pair, "Ready")
        operator.remote_backends["rest"] = delivery.real
        await world.enable(pair, enabled=False)
        await world.has_reason(pair, "NotEnabled")


@pytest.mark.parametrize(("asked", "how"), [("native", "aggregated"), ("keycloak", "keycloak")])
async def test_a_user_that_may_be_there_goes(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, asked: str, how: str
) -> None:
    await store_keycloak_access(old, keycloak)
    where = {"enmasse_namespace": INFRASTRUCTURE, "keycloak_url": keycloak.url, "syndesis_url": syndesis_server.url}
    async with aggregated_api(old, keycloak, "0.30"):
        pair = await pair_in_config_map(old, keycloak)
        async with old.operator(poll_seconds=1, user_delivery=asked, **where) as operator:
            delivery = operator.remote_backends[how] = AnswersLost(operator.remote_backends[how], EnsureRemote)
            await disabled_after(old, pair, delivery)
            assert keycloak.users(realm_of(pair)) == []
            await drop_space(old, pair.space)


async def test_a_user_name_that_proves_nothing_is_refused(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer
) -> None:
    """On this API nothing but the name tells whose a user is: a name that a user chose is not used, password or not."""
    async with aggregated_api(old, keycloak, "0.30"):
        pair = await pair_in_config_map(old, keycloak)
        theirs = {
            "resourceName": ["orders.theirs"],
            "resourceNamespace": [pair.space.namespace],
            "authenticationType": ["password"],
            "creationTimestamp": ["2019-01-01T00:00:00.000Z"],
        }
        keycloak.make_user(realm_of(pair), "theirs", "their password", attributes=theirs)
        labels = {"labels": {names.INTEGRATION_LABEL: "mine"}}
        own = naming.username(pair)
        for name, username in (("mine", "theirs"), ("fitting", own)):
            data = {"username": encoded(username), "password": encoded("my own")}
            await old.create("Secret", pair.syndesis.namespace, name, data=data, metadata=labels)
        for _ in range(2):
            async with old.operator(poll_seconds=1, syndesis_url=syndesis_server.url):
                offered = await old.offered(pair)
                ref = pair.syndesis._replace(name=offered["metadata"]["name"])
                spec = {"enabled": True, "credentialsSecretRef": {"name": "mine"}}
                forged = {"delivered": {"user": {"delivery": "aggregated", "username": "theirs"}}}
                await old.patch("Integration", ref, {"spec": spec})
                await old.patch("Integration", ref, {"status": forged}, status=True)
                found = await old.has_reason(pair, "UsernameNotProvable", "CredentialsReady")
                assert own in condition(found, "CredentialsReady")["message"]
                await old.enable(pair, enabled=False)
                await old.has_reason(pair, "NotEnabled")
                assert keycloak.can_log_in(realm_of(pair), "theirs", "their password")
        async with old.operator(poll_seconds=1, syndesis_url=syndesis_server.url):
            spec = {"enabled": True, "credentialsSecretRef": {"name": "fitting"}}
            await old.patch("Integration", ref, {"spec": spec})
            await old.has_reason(pair, "Ready")
            assert keycloak.can_log_in(realm_of(pair), own, "my own")
            await old.enable(pair, enabled=False)
            await old.has_reason(pair, "NotEnabled")
        assert keycloak.can_log_in(realm_of(pair), "theirs", "their password")
        await drop_space(old, pair.space)
