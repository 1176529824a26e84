"""EnMasse 0.30 becomes 0.31 under the operator: its API goes, its kinds come, and every login stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from integration_operator_sandbox.platforms.crd import install_crds
from integration_operator_sandbox.platforms.enmasse import CERTIFICATE
from integration_operator_sandbox.platforms.keycloak.controller import KeptLogins
from tests.support.documents import path
from tests.support.earlier_enmasse import DEFINITIONS
from tests.support.faults.cleaning import clean
from tests.support.faults.environment import simulated_enmasse
from tests.support.faults.expectation import Expectation, Ref
from tests.support.faults.scenario import Scenario
from tests.support.faults.scenarios.earlier import CONFIG_MAPS, Aggregated, KeycloakPair
from tests.support.keycloak_fixtures import realms_of

CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
INSTALLED = ("AddressSpace", "MessagingUser")
EVERYTHING = [{"operations": ["send", "recv"], "addresses": ["*"]}]


class EnmasseUpgrade(Aggregated, KeycloakPair):
    """EnMasse is upgraded as its own upgrader does it, while a pair is delivered."""

    name = "enmasse-upgrade"

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[None]:
        async with super().surroundings(), AsyncExitStack() as self._upgraded:
            yield

    async def act(self) -> Expectation:
        plane, admin = self.stage.control_plane, self.stage.admin
        await self.api.unregister()
        await asyncio.to_thread(install_crds, plane.kubeconfig(), [DEFINITIONS[kind] for kind in INSTALLED])
        await self._start_controllers()
        await admin.delete(f"{CONFIG_MAPS}/{self.space.namespace}.{self.space.name}")
        await self._convert_users()
        await self.stage.space(self.space.namespace, self.space.name)
        upgraded = self.as_delivered(self.space, self.syndesis, user="native", certificate=CERTIFICATE)
        return Expectation(delivered=(upgraded,))

    async def _start_controllers(self) -> None:
        keycloak = self.stage.platforms.keycloak
        assert keycloak is not None
        realms = await self._upgraded.enter_async_context(realms_of(keycloak))
        enmasse = simulated_enmasse(self.stage.control_plane, KeptLogins(realms))
        await self._upgraded.enter_async_context(enmasse)

    async def _convert_users(self) -> None:
        """Create a MessagingUser without a password for each user in the realm (upgrader.go:204-293 @0.33.1)."""
        platforms = self.stage.platforms
        assert platforms.keycloak is not None
        for user in await asyncio.to_thread(platforms.keycloak.users, platforms.realms[0]):
            ref = Ref(self.space.namespace, user["attributes"]["resourceName"][0])
            spec = {"username": user["username"], "authentication": {"type": "password"}, "authorization": EVERYTHING}
            document = {"apiVersion": "user.enmasse.io/v1beta1", "kind": "MessagingUser", "spec": spec}
            metadata = {"name": ref.name, "namespace": ref.namespace}
            await self.stage.admin.create(path("MessagingUser", ref.namespace), {**document, "metadata": metadata})

    async def clean(self) -> None:
        """Delete the kinds again, when EnMasse has let go of their objects."""
        await clean(self.stage)
        names = [DEFINITIONS[kind]["metadata"]["name"] for kind in INSTALLED]
        for name in names:
            await self.stage.admin.delete(f"{CRDS}/{name}")

        async def gone() -> bool:
            lists = [await self.stage.admin.get(path(kind)) for kind in INSTALLED]
            return not any(lists)

        await self.stage.eventually("EnMasse's kinds are gone", gone)
        await super().clean()


SCENARIOS: tuple[type[Scenario], ...] = (EnmasseUpgrade,)
