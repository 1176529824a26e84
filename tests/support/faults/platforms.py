"""The platforms of a run: EnMasse, a Syndesis that reconciles Connections or one that is asked over REST, Keycloak."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from integration_operator_sandbox.platforms import SimulatedEnMasse, SimulatedSyndesis
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.faults.expectation import Ref
from tests.support.faults.snapshot import Snapshot, StoredConnection


@dataclass
class Platforms:
    """Each platform that a scenario uses; None for one that it does not."""

    enmasse: SimulatedEnMasse | None = None
    syndesis: SimulatedSyndesis | None = None
    server: SyndesisServer | None = None
    keycloak: Keycloak | None = None
    realms: list[str] = field(default_factory=list)
    """Realms of the run in Keycloak."""

    def uninstall_server(self) -> None:
        """Take the Syndesis server away with its database: no request is answered any more."""
        if self.server is not None:
            self.server.install_anew()
            self.server.fail(times=1_000_000, status=0)

    def stored_by_operator(self) -> list[StoredConnection]:
        """Return the connections that the operator made over REST."""
        if self.server is None:
            return []
        return [
            StoredConnection(
                identifier, {**stored["configuredProperties"], "password": self.server.password(identifier) or ""}
            )
            for identifier, stored in self.server.stored().items()
        ]

    def logins(self, namespaces: Iterable[str]) -> dict[tuple[str, str, str], str]:
        """Return the passwords that the simulated EnMasse accepts, by namespace, AddressSpace and user name."""
        if self.enmasse is None:
            return {}
        inside, logins = set(namespaces), self.enmasse.logins.items()
        return {(lo.namespace, lo.space, lo.username): word for lo, word in logins if lo.namespace in inside}

    def reconciled(self, namespaces: Iterable[str]) -> dict[Ref, StoredConnection]:
        """Return the connections that the simulated Syndesis made of resources."""
        if self.syndesis is None:
            return {}
        inside, connections = set(namespaces), self.syndesis.connections.items()
        return {Ref(*key): StoredConnection(c.id, c.properties) for key, c in connections if key[0] in inside}

    async def show(self, snapshot: Snapshot, namespaces: Iterable[str]) -> None:
        """Add to a snapshot what the platforms have stored for some namespaces."""
        namespaces = list(namespaces)
        snapshot.logins = self.logins(namespaces)
        snapshot.reconciled = self.reconciled(namespaces)
        snapshot.rest = self.stored_by_operator()
        if self.keycloak is not None:
            for realm in self.realms:
                snapshot.keycloak[realm] = await asyncio.to_thread(self.keycloak.users, realm)
