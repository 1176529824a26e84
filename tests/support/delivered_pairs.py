"""A delivered pair in each delivery, what can happen to it, and what is there afterwards.

AddressSpace and Syndesis are in two namespaces, unless an event is about one. The deliveries are those of
docs/what-happens-when.md: ``native`` has a MessagingUser and a Connection, ``REST`` a MessagingUser and a connection on
a Syndesis server, ``Keycloak`` a user in a real Keycloak and such a connection, of an AddressSpace in a ConfigMap.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, ClassVar

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.manager import Operator
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms import SimulatedEnMasse
from integration_operator_sandbox.platforms.enmasse.objects import Login
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import Document, decoded, space_status
from tests.support.earlier_enmasse import drop_space, realm_of, store_space
from tests.support.keycloak_access import all_over_rest
from tests.support.rest_delivery import stored_connection
from tests.support.world import World, integration_ref

MOVED = "messaging-b2.enmasse-infra.svc"
"""Where the endpoint of an AddressSpace moves to."""

ConnectionState = tuple[str, str]
"""What identifies a connection, and its URI."""


class Delivered(ABC):
    """A pair in one delivery, which remembers what was there when it was Ready."""

    of_syndesis: ClassVar[Document] = {}
    """Annotations of the Syndesis."""

    def __init__(self, world: World, across: bool, running: bool) -> None:
        self.world = world
        self.running = running
        """Whether the operator runs while something happens."""
        self.pair = Pair(Ref(world.ns("shop"), "orders"), Ref(world.ns("fuse" if across else "shop"), "syndesis"))
        self._consent = {names.ALLOWED_NAMESPACES: self.pair.syndesis.namespace} if across else {}
        self._before: Document = {}

    @abstractmethod
    def operator(self) -> AbstractAsyncContextManager[Operator]:
        """Run the operator with what this delivery needs."""

    @abstractmethod
    async def create_space(self, annotations: dict[str, str]) -> None:
        """Create a ready AddressSpace."""

    @abstractmethod
    async def change_space(self, host: str | None = None, annotations: dict[str, str] | None = None) -> None:
        """Move the endpoint of the AddressSpace, or annotate it."""

    @abstractmethod
    async def delete_space(self) -> None:
        """Delete the AddressSpace, as EnMasse does."""

    @abstractmethod
    async def users(self) -> set[str]:
        """Return the user names that exist for the pair."""

    @abstractmethod
    async def connection(self) -> ConnectionState | None:
        """Return the connection of the pair, None if there is none."""

    @abstractmethod
    def can_log_in(self, username: str, password: str) -> bool:
        """Return True if a user name and a password open the AddressSpace."""

    async def prepare(self) -> None:
        """Create namespaces, AddressSpace and Syndesis."""
        await self.world.namespace("shop")
        if self._consent:
            await self.world.namespace("fuse")
        await self.create_space(self._consent)
        rest = {"metadata": {"annotations": self.of_syndesis}, "status": {"phase": "Installed"}}
        await self.world.create("Syndesis", *self.pair.syndesis, spec={}, **rest)

    async def deliver(self, **spec: Any) -> None:
        """Enable the pair, and wait until it is Ready."""
        await self.world.offered(self.pair)
        await self.patch({"spec": {"enabled": True, **spec}})
        await self.world.has_reason(self.pair, "Ready")
        self._before = await self._there()

    async def patch(self, body: Document) -> None:
        """Change the Integration as a user."""
        await self.world.patch("Integration", integration_ref(self.pair), body)

    async def state(self) -> dict[str, str]:
        """Return in the words of the page what is there now."""
        before, now = self._before, await self._there()
        opens = self.can_log_in(**before["credential"])
        return {
            "Integration": _integration(before["Integration"], now["Integration"]),
            "Secret": _secret(before["Secret"], now["Secret"]),
            "user": _users(before["users"], now["users"]),
            "connection": _connection(before["connection"], now["connection"]),
            "credential": _credential(before["credential"], now["credential"], opens=opens),
        }

    async def _there(self) -> Document:
        secret = await self.world.get("Secret", naming.secret_ref(self.pair))
        return {
            "Integration": await self.world.integration(self.pair),
            "Secret": secret,
            "users": await self.users(),
            "connection": await self.connection(),
            "credential": secret and {key: decoded(secret)[key] for key in ("username", "password")},
        }


def _integration(before: Document, now: Document | None) -> str:
    if now is None:
        return "gone"
    if now["metadata"].get("deletionTimestamp"):
        return "waits"
    return "stays" if now["metadata"]["uid"] == before["metadata"]["uid"] else "offered again"


def _secret(before: Document, now: Document | None) -> str:
    if now is None:
        return "gone"
    return "stays" if now["metadata"]["uid"] == before["metadata"]["uid"] else "restored"


def _users(before: set[str], now: set[str]) -> str:
    if now == before:
        return "stays"
    return "two" if now > before else "another" if now else "gone"


def _connection(before: ConnectionState, now: ConnectionState | None) -> str:
    if now is None:
        return "gone"
    return "stays" if now == before else "follows" if now[0] == before[0] else "another"


def _credential(before: dict[str, str], now: dict[str, str] | None, *, opens: bool) -> str:
    if now not in (None, before):
        return "another"
    return "stays" if opens else "closed"


class WithMessagingUser(Delivered):
    """A pair whose user is a MessagingUser."""

    def __init__(self, world: World, across: bool, running: bool, enmasse: SimulatedEnMasse) -> None:
        super().__init__(world, across, running)
        self._enmasse = enmasse

    async def create_space(self, annotations: dict[str, str]) -> None:
        await self.world.space(*self.pair.space)
        await self.change_space(annotations=annotations)

    async def change_space(self, host: str | None = None, annotations: dict[str, str] | None = None) -> None:
        status = {"status": space_status(host)} if host else {}
        await self.world.patch(
            "AddressSpace", self.pair.space, {"metadata": {"annotations": annotations or {}}, **status}
        )

    async def delete_space(self) -> None:
        await self.world.delete("AddressSpace", self.pair.space)

    async def users(self) -> set[str]:
        found = await self.world.items("MessagingUser", self.pair.space.namespace)
        return {user["spec"]["username"] for user in found}

    def can_log_in(self, username: str, password: str) -> bool:
        return self._enmasse.logins.get(Login(*self.pair.space, username)) == password


class Native(WithMessagingUser):
    """A pair with a MessagingUser and a Connection."""

    of_syndesis: ClassVar[Document] = {names.CONNECTION_DELIVERY: "native"}

    def operator(self) -> AbstractAsyncContextManager[Operator]:
        return self.world.operator()

    async def connection(self) -> ConnectionState | None:
        found = await self.world.get("Connection", naming.connection_ref(self.pair))
        return found and (found["metadata"]["uid"], found["spec"]["configuredProperties"]["connectionUri"])


class Rest(WithMessagingUser):
    """A pair with a MessagingUser, and a connection over REST."""

    def __init__(
        self, world: World, across: bool, running: bool, enmasse: SimulatedEnMasse, server: SyndesisServer
    ) -> None:
        super().__init__(world, across, running, enmasse)
        self._server = server

    def operator(self) -> AbstractAsyncContextManager[Operator]:
        return self.world.operator(syndesis_url=self._server.url)

    async def connection(self) -> ConnectionState | None:
        return await _on_server(self.world, self._server, self.pair)


class InKeycloak(Delivered):
    """A pair with a user in Keycloak, and a connection over REST."""

    def __init__(self, world: World, across: bool, running: bool, server: SyndesisServer, keycloak: Keycloak) -> None:
        super().__init__(world, across, running)
        self._server, self._keycloak = server, keycloak
        self._has_realm = False

    def operator(self) -> AbstractAsyncContextManager[Operator]:
        return self.world.operator(**all_over_rest(self._keycloak, self._server))

    async def create_space(self, annotations: dict[str, str]) -> None:
        self._keycloak.create_realm(realm_of(self.pair), self.pair.space.namespace)
        self._has_realm = True
        await store_space(self.world, self.pair.space, **annotations)

    async def change_space(self, host: str | None = None, annotations: dict[str, str] | None = None) -> None:
        status = space_status(host, ca=False) if host else None
        await store_space(self.world, self.pair.space, status=status, **{**self._consent, **(annotations or {})})

    async def delete_space(self) -> None:
        await drop_space(self.world, self.pair.space)
        self._keycloak.delete_realm(realm_of(self.pair))
        self._has_realm = False

    async def users(self) -> set[str]:
        return {user["username"] for user in self._keycloak.users(realm_of(self.pair))} if self._has_realm else set()

    async def connection(self) -> ConnectionState | None:
        return await _on_server(self.world, self._server, self.pair)

    def can_log_in(self, username: str, password: str) -> bool:
        return self._keycloak.can_log_in(realm_of(self.pair), username, password)

    async def end(self) -> None:
        """Delete what does not go with the namespaces of a test."""
        if self._has_realm:
            await self.delete_space()


async def _on_server(world: World, server: SyndesisServer, pair: Pair) -> ConnectionState | None:
    """Return the connection on a Syndesis server, which is gone with its Syndesis."""
    found = stored_connection(server, pair)
    if found is None or await world.get("Syndesis", pair.syndesis) is None:
        return None
    return found["id"], found["configuredProperties"]["connectionUri"]


async def _disable(pair: Delivered) -> None:
    await pair.patch({"spec": {"enabled": False}})


async def _delete(pair: Delivered) -> None:
    await pair.world.delete("Integration", integration_ref(pair.pair))


async def _delete_space(pair: Delivered) -> None:
    await pair.delete_space()


async def _delete_syndesis(pair: Delivered) -> None:
    await pair.world.delete("Syndesis", pair.pair.syndesis)


async def _giver_withdraws(pair: Delivered) -> None:
    await pair.change_space(annotations={names.ALLOWED_NAMESPACES: ""})


async def _receiver_withdraws(pair: Delivered) -> None:
    await pair.world.patch("Syndesis", pair.pair.syndesis, {"metadata": {"annotations": {names.ACCEPT_FROM: ""}}})


async def _suspend(pair: Delivered) -> None:
    await pair.patch({"spec": {"suspend": True}})
    if pair.running:
        await pair.world.has_reason(pair.pair, "Suspended")
    await pair.change_space(MOVED)


async def _move(pair: Delivered) -> None:
    await pair.change_space(MOVED)


async def _rotate(pair: Delivered) -> None:
    await pair.patch({"metadata": {"annotations": {names.ROTATE: "now"}}})


async def _delete_secret(pair: Delivered) -> None:
    await pair.world.delete("Secret", naming.secret_ref(pair.pair))


EVENTS: dict[str, Callable[[Delivered], Awaitable[None]]] = {
    "Integration disabled": _disable,
    "Integration deleted": _delete,
    "Integration deleted, `Retain`": _delete,
    "AddressSpace deleted, same namespace": _delete_space,
    "AddressSpace deleted, other namespace": _delete_space,
    "Syndesis deleted, same namespace": _delete_syndesis,
    "Syndesis deleted, other namespace": _delete_syndesis,
    "giver withdraws consent": _giver_withdraws,
    "receiver withdraws consent": _receiver_withdraws,
    "rotation requested": _rotate,
    "Secret deleted": _delete_secret,
    "endpoint moves": _move,
    "Integration suspended, then the endpoint moves": _suspend,
}
"""What can happen, in the words of the page."""
