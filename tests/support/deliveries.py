"""Deliveries to Syndesis's server without a cluster: the desired connection, and a delivery with what it knows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from integration_operator.backends.syndesis.backend import SyndesisBackend
from integration_operator.backends.syndesis.connection_services import ConnectionServices
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import DeleteRemote, EnsureRemote
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace
from integration_operator.domain.model.remote_state import RemoteState, applied_hash, credentials_hash
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer

PASSWORD = "pass-of-the-first-day"
WRITES = ("POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Wish:
    """A connection as it is wanted for an AddressSpace ``messaging/<space>`` in the Syndesis of ``namespace``."""

    space: str = "orders"
    namespace: str = "shop"
    password: str = PASSWORD
    name: str | None = None
    description: str = "Messaging of orders"
    tags: tuple[str, ...] = ()
    connector: str = "amqp"
    properties: dict[str, str] = field(default_factory=lambda: {"connectionUri": "amqp://messaging.svc:5672"})

    @property
    def pair(self) -> Pair:
        return Pair(Ref("messaging", self.space), Ref(self.namespace, "syndesis"))

    @property
    def id(self) -> str:
        return naming.connection_id(self.pair)

    @property
    def shown_name(self) -> str:
        return self.name or f"EnMasse {self.space} (messaging)"

    def but(self, **changed: Any) -> Wish:
        return replace(self, **changed)

    def with_property(self, key: str, value: str) -> Wish:
        return replace(self, properties={**self.properties, key: value})

    @property
    def document(self) -> dict[str, Any]:
        """The Connection that the template would render."""
        secret = naming.secret_name(self.pair)
        return {
            "metadata": {"namespace": self.namespace, "name": naming.integration_name(self.pair)},
            "spec": {
                "connectorId": self.connector,
                "name": self.shown_name,
                "description": self.description,
                "tags": list(self.tags),
                "configuredProperties": self.properties,
                "configuredPropertiesFrom": [
                    {"property": "username", "secretKeyRef": {"name": secret, "key": "username"}},
                    {"property": "password", "secretKeyRef": {"name": secret, "key": "password"}},
                ],
            },
        }

    def deliver(self, known: RemoteState, *, verify: bool = False) -> EnsureRemote:
        credential = Credential(naming.username(self.pair), self.password)
        return EnsureRemote(
            "Connection",
            "rest",
            self.pair,
            self.document,
            credential,
            AddressSpace(self.pair.space, "uid", "enmasse.io/v1beta1"),
            known,
            applied_hash(self.document),
            credentials_hash(credential, naming.integration_label(self.pair)),
            "the test asks for it",
            verify,
        )

    def withdraw(self, known: RemoteState) -> DeleteRemote:
        return DeleteRemote(
            "Connection", "rest", self.pair, naming.connection_ref(self.pair), known, "the test asks for it"
        )


class Deliverer:
    """A delivery with the Secrets that it reads, and with a note of each success, as the register keeps it."""

    def __init__(self, *servers: SyndesisServer, **servers_of: SyndesisServer) -> None:
        """Take one server for all namespaces, or one for each."""
        self.known: dict[Pair, RemoteState] = {}
        self.now = 0.0
        self._passwords: dict[str, Credential] = {}
        self.servers = ConnectionServices(
            lambda namespace: servers[0].url if servers else servers_of[namespace].url, clock=lambda: self.now
        )
        self.delivery = SyndesisBackend(self.servers, lambda namespace: self._value, self._config_map)

    async def _config_map(self, namespace: str, name: str) -> dict[str, str]:
        return {}

    async def deliver(self, wish: Wish, *, verify: bool = False) -> RemoteState:
        """Deliver with what is known so far; only a success is noted."""
        action = wish.deliver(self.known.get(wish.pair, RemoteState()), verify=verify)
        self._passwords[naming.secret_name(wish.pair)] = action.credential
        made = await self.delivery.ensure(action)
        self.known[wish.pair] = made
        return made

    async def withdraw(self, wish: Wish) -> str:
        """Withdraw with what is known so far; return the warning for users."""
        said = await self.delivery.delete(wish.withdraw(self.known.get(wish.pair, RemoteState())))
        self.known.pop(wish.pair, None)
        return said.message if said else ""

    def _value(self, secret: str, key: str) -> str | None:
        credential = self._passwords[secret]
        return {"username": credential.username, "password": credential.password}[key]


@asynccontextmanager
async def delivering(*servers: SyndesisServer, **servers_of: SyndesisServer) -> AsyncIterator[Deliverer]:
    """Run a delivery for the block; another one beside it or after it knows nothing of its notes."""
    deliverer = Deliverer(*servers, **servers_of)
    try:
        yield deliverer
    finally:
        await deliverer.delivery.close()


def writes(server: SyndesisServer, since: int = 0) -> list[str]:
    """Return the writes among the server's requests as method and path without query; to verify is no write."""
    return [
        f"{request.method} {request.path.partition('?')[0].removeprefix('/api/v1')}"
        for request in server.requests[since:]
        if request.method in WRITES and not request.path.endswith("/verifier")
    ]
