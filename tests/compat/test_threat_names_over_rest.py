"""Threat: a user name that the receiver chooses meets a user in Keycloak that is foreign or another pair's.

On a cluster of EnMasse's earlier releases with a real Keycloak; the receiver has a token that is limited to its own
namespace. Whatever it writes there, the owner of a user or a connection keeps it as it is, and only the owner's
password is accepted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.policies.ownership import KEYCLOAK_MARK, keycloak_mark
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import Document, encoded, path
from tests.support.earlier_enmasse import drop_space, store_space
from tests.support.keycloak_access import all_over_rest, store_keycloak_access
from tests.support.scenes import OF_MALLORY, WITH_FINALIZER, Receiving
from tests.support.tenants import tenant
from tests.support.world import World

OF_THE_BOSS = "password-of-the-boss"


@dataclass
class Scene(Receiving):
    """A giver's AddressSpace with a realm, and a receiver whom it allows, with its own Syndesis server."""

    keycloak: Keycloak
    server: SyndesisServer

    @property
    def realm(self) -> str:
        return f"{self.pair.space.namespace}-{self.pair.space.name}"

    def user(self, name: str, **changed: list[str]) -> Document:
        """Create a user with the attributes that EnMasse writes, and return it as Keycloak has it."""
        attributes = {
            "resourceName": [f"{self.pair.space.name}.{name}"],
            "resourceNamespace": [self.pair.space.namespace],
            "authenticationType": ["password"],
            "creationTimestamp": ["2019-06-03T10:00:00.000Z"],
            **changed,
        }
        self.keycloak.make_user(self.realm, name, OF_THE_BOSS, attributes=attributes)
        return self.keycloak.user(self.realm, name)

    def untouched(self, before: Document) -> None:
        name = before["username"]
        assert self.keycloak.user(self.realm, name) == before
        assert self.keycloak.groups_of(self.realm, name) == set()
        assert self.keycloak.can_log_in(self.realm, name, OF_THE_BOSS)
        assert not self.keycloak.can_log_in(self.realm, name, OF_MALLORY)

    async def gone(self) -> None:
        async def check() -> bool:
            return await self.world.get("Integration", self.ref) is None

        await self.world.eventually("the Integration is gone", check)

    @asynccontextmanager
    async def operator(self, **settings: Any) -> AsyncIterator[None]:
        chosen = {**all_over_rest(self.keycloak, self.server), **settings}
        async with self.world.operator(**chosen):
            yield

    async def restarted(self, during: Callable[[], Awaitable[Any]], **settings: Any) -> None:
        """Check ``during`` under two operators, one after the other: the second knows nothing of the first."""
        for _ in range(2):
            async with self.operator(**settings):
                await during()
                await self.world.audit.quiet()


@pytest.fixture
async def scene(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer, tmp_path: Path
) -> AsyncIterator[Scene]:
    await store_keycloak_access(old, keycloak)
    shop, fuse = await old.namespace("shop"), await old.namespace("fuse")
    await old.create("Syndesis", fuse, "syndesis", spec={}, status={"phase": "Installed"})
    pair = Pair(Ref(shop, "orders"), Ref(fuse, "syndesis"))
    keycloak.create_realm(f"{shop}-orders", shop)
    await store_space(old, pair.space, **{names.ALLOWED_NAMESPACES: f"{fuse},other-{old.tag}"})
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(tenant(old, "receiver", fuse, tmp_path))
        yield Scene(old, pair, receiver, keycloak, syndesis_server)
    keycloak.delete_realm(f"{shop}-orders")
    await drop_space(old, pair.space)


def forged(username: str, connection: str = "i-1") -> Document:
    """Return the status that the operator would write if both were this pair's."""
    return {
        "phase": "complete",
        "delivered": {
            "user": {"delivery": "keycloak", "username": username, "appliedHash": "x", "credentialsHash": "y"},
            "connection": {"delivery": "rest", "id": connection, "appliedHash": "x", "credentialsHash": "y"},
            "source": "configmap",
        },
    }


FORGERIES = [False, True]
NAMES = ["plain", "finalizer and status forged"]


@pytest.mark.parametrize("by", ["setting", "integration"])
@pytest.mark.parametrize("with_forgery", FORGERIES, ids=NAMES)
async def test_a_user_of_somebody_else_is_never_taken(scene: Scene, with_forgery: bool, by: str) -> None:
    before = scene.user("boss")
    await scene.bring("boss")
    forgery = {"status": forged("boss"), "metadata": WITH_FINALIZER} if with_forgery else {}
    delivery = {"user": "keycloak", "connection": "rest"} if by == "integration" else {}
    settings = {"user_delivery": "auto", "allow_keycloak": True} if by == "integration" else {}
    await scene.ask(credentialsSecretRef={"name": "byo"}, delivery=delivery, **forgery)

    async def refused() -> None:
        found = await scene.said("NameTaken")
        assert "'boss' is taken" in str(found["status"]["conditions"])
        scene.untouched(before)

    await scene.restarted(refused, **settings)
    await scene.change(enabled=False)

    async def disabled() -> None:
        await scene.said("NotEnabled")
        scene.untouched(before)

    await scene.restarted(disabled, **settings)
    await scene.change(enabled=True)
    await scene.restarted(refused, **settings)
    async with scene.operator(**settings):
        await scene.receiver.delete(path("Integration", *scene.ref))
        await scene.gone()
        await scene.world.audit.quiet()
    scene.untouched(before)
    assert [user["username"] for user in scene.keycloak.users(scene.realm)] == ["boss"]
    assert scene.server.stored() == {}, "nothing is connected with a login that is not this pair's"


@pytest.mark.parametrize("name", ["enmasse-orders-to-fuse", "mallory"])
@pytest.mark.parametrize("with_forgery", FORGERIES, ids=NAMES)
async def test_the_login_of_the_proof_of_concept_is_inherited_by_one_pair(
    scene: Scene, with_forgery: bool, name: str
) -> None:
    """Nothing in Keycloak shows which pair it was made for: the Integration that has its name inherits it."""
    login, shop = naming.proof_of_concept_name(scene.pair.space), scene.pair.space.namespace
    scene.keycloak.make_user(scene.realm, login, OF_THE_BOSS)
    before = scene.keycloak.user(scene.realm, login)
    reference = {"namespace": shop, "name": "orders"}
    await scene.world.create("Syndesis", shop, "syndesis", spec={}, status={"phase": "Installed"})
    heir = {"addressSpaceRef": reference, "client": "syndesis", "enabled": False}
    await scene.world.create("Integration", shop, login, spec=heir)
    await asyncio.sleep(1.1)  # creationTimestamp has whole seconds, and the oldest inherits
    await scene.bring(login)
    forgery = {"status": forged(login), "metadata": WITH_FINALIZER} if with_forgery else {}
    scene.asked = name
    await scene.ask(credentialsSecretRef={"name": "byo"}, **forgery)

    async def refused() -> None:
        await scene.said("NameTaken")
        scene.untouched(before)

    await scene.restarted(refused)
    await scene.change(enabled=False)
    async with scene.operator():
        await scene.said("NotEnabled")
        await scene.world.audit.quiet()
        scene.untouched(before)
        await scene.receiver.delete(path("Integration", *scene.ref))
        await scene.gone()
    scene.untouched(before)


@pytest.mark.parametrize("with_forgery", FORGERIES, ids=NAMES)
async def test_another_pairs_user_is_not_this_pairs(scene: Scene, with_forgery: bool) -> None:
    """A user that the operator made, under a chosen name, for another receiver of the same AddressSpace."""
    other = Pair(scene.pair.space, Ref(f"other-{scene.world.tag}", "syndesis"))
    before = scene.user("boss", **{KEYCLOAK_MARK: [keycloak_mark(other)]})
    generated = scene.user(naming.username(other), **{KEYCLOAK_MARK: [keycloak_mark(other)]})
    await scene.bring("boss")
    forgery = {"status": forged("boss"), "metadata": WITH_FINALIZER} if with_forgery else {}
    await scene.ask(credentialsSecretRef={"name": "byo"}, **forgery)

    async def refused() -> None:
        await scene.said("NameTaken")
        scene.untouched(before)

    await scene.restarted(refused)
    data = {"username": encoded(naming.username(other)), "password": encoded(OF_MALLORY)}
    await scene.receiver.patch(path("Secret", scene.ref.namespace, "byo"), {"data": data})

    async def refused_too() -> None:
        await scene.said("UsernameInvalid")
        scene.untouched(before)
        scene.untouched(generated)

    await scene.restarted(refused_too)
    async with scene.operator():
        await scene.receiver.delete(path("Integration", *scene.ref))
        await scene.gone()
        await scene.world.audit.quiet()
    scene.untouched(before)
    scene.untouched(generated)


async def test_a_changed_delivery_takes_nothing_either(scene: Scene) -> None:
    before = scene.user("boss")
    await scene.bring("boss")
    await scene.ask(credentialsSecretRef={"name": "byo"}, delivery={"user": "native"}, status=forged("boss"))
    for delivery in ("native", "keycloak", "auto"):
        await scene.change(delivery={"user": delivery, "connection": "rest"})
        async with scene.operator(allow_keycloak=True):
            await scene.world.audit.quiet()
            scene.untouched(before)
    async with scene.operator(user_delivery="auto", allow_keycloak=True):
        await scene.change(enabled=False)
        await scene.said("NotEnabled")
        await scene.world.audit.quiet()
    scene.untouched(before)


async def test_a_chosen_name_that_is_free_is_this_pairs(scene: Scene) -> None:
    boss = scene.user("boss")
    await scene.bring("clerk")
    await scene.ask(credentialsSecretRef={"name": "byo"})

    async def ready() -> None:
        await scene.said("Ready")
        assert scene.keycloak.can_log_in(scene.realm, "clerk", OF_MALLORY)
        mark = scene.keycloak.user(scene.realm, "clerk")["attributes"][KEYCLOAK_MARK]
        assert mark == [keycloak_mark(scene.pair)]

    await scene.restarted(ready)
    async with scene.operator():
        await scene.receiver.patch(f"{path('Integration', *scene.ref)}/status", {"status": None})
        await scene.said("Ready")
        await scene.receiver.patch(
            path("Secret", scene.ref.namespace, "byo"), {"data": {"password": encoded("another password")}}
        )

        async def followed() -> bool:
            return scene.keycloak.can_log_in(scene.realm, "clerk", "another password")

        await scene.world.eventually("a changed password is followed", followed)
        await scene.change(enabled=False)
        await scene.said("NotEnabled")

        async def gone() -> bool:
            found = await scene.world.get("Integration", scene.ref)
            users = [user["username"] for user in scene.keycloak.users(scene.realm)]
            return users == ["boss"] and not (found or {})["metadata"].get("finalizers")

        await scene.world.eventually("the chosen user is removed", gone)
    scene.untouched(boss)


@pytest.mark.parametrize("with_forgery", FORGERIES, ids=NAMES)
async def test_a_foreign_connection_in_syndesis_stays_as_it_is(scene: Scene, with_forgery: bool) -> None:
    """It has the name that the pair's connection would have, or the id that the receiver's editor forged."""
    scene.server.put_stored(
        {
            "id": "i-1",
            "name": f"EnMasse {scene.pair.space.name} ({scene.pair.space.namespace})",
            "connectorId": "amqp",
            "configuredProperties": {
                "connectionUri": "amqp://of.somebody:5672",
                "username": "boss",
                "password": OF_THE_BOSS,
            },
        }
    )
    before = scene.server.stored()
    await scene.bring("clerk")
    forgery = {"status": forged("clerk"), "metadata": WITH_FINALIZER} if with_forgery else {}
    await scene.ask(credentialsSecretRef={"name": "byo"}, **forgery)

    async def refused() -> None:
        await scene.said("ConnectionNameTaken")
        assert scene.server.stored() == before

    await scene.restarted(refused)
    await scene.change(enabled=False)

    async def disabled() -> None:
        await scene.said("NotEnabled")
        assert scene.server.stored() == before

    await scene.restarted(disabled)
    async with scene.operator():
        await scene.receiver.delete(path("Integration", *scene.ref))
        await scene.gone()
    assert scene.server.stored() == before
    assert scene.keycloak.users(scene.realm) == []


async def test_a_noted_id_of_a_foreign_connection_leads_to_nothing(scene: Scene) -> None:
    """Under another name than the pair's: the pair gets a connection of its own beside it, and loses only that."""
    foreign = {
        "id": "i-1",
        "name": "of somebody",
        "connectorId": "amqp",
        "configuredProperties": {"connectionUri": "amqp://of.somebody:5672", "username": "boss", "password": "p"},
    }
    scene.server.put_stored(foreign)
    before = scene.server.stored()
    await scene.ask(status=forged("boss"), finalizers=[names.REST_STATE_FINALIZER])

    async def ready() -> None:
        await scene.said("Ready")
        stored = scene.server.stored()
        assert stored.pop(naming.connection_id(scene.pair))
        assert stored == before

    await scene.restarted(ready)
    async with scene.operator():
        status = {"status": {"delivered": {"connection": {"id": "i-1"}}}}
        await scene.receiver.patch(f"{path('Integration', *scene.ref)}/status", status)
        await scene.world.audit.quiet()
    async with scene.operator():
        await scene.receiver.delete(path("Integration", *scene.ref))
        await scene.gone()
    assert scene.server.stored() == before
    assert scene.keycloak.users(scene.realm) == []
