"""Scenarios with EnMasse up to 0.30: AddressSpaces in ConfigMaps, users in a real Keycloak, connections over REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from integration_operator.runtime.client import Client
from integration_operator_sandbox.platforms.aggregated.server import AggregatedApi
from tests.support.documents import secret_data
from tests.support.earlier_enmasse import INFRASTRUCTURE, space_in_config_map
from tests.support.faults.admin import Refused
from tests.support.faults.expectation import Delivered, Expectation, Offered, Ref
from tests.support.faults.scenario import Scenario
from tests.support.keycloak_fixtures import realms_of

SECRETS = f"/api/v1/namespaces/{INFRASTRUCTURE}/secrets"
CONFIG_MAPS = f"/api/v1/namespaces/{INFRASTRUCTURE}/configmaps"
SERVED = ("enmasse.io/v1beta1/addressspaces", "user.enmasse.io/v1beta1/messagingusers")
CREATED_BY = {"enmasse": "enmasse.io/created-by", "syndesis": "syndesis.io/created-by"}


class Earlier(Scenario):
    """What all of them have in common."""

    plane = "old"
    rest = True
    keycloak = True
    user = "keycloak"

    @property
    def settings(self) -> dict[str, Any]:
        return {
            "address_spaces": "configmap",
            "user_delivery": "keycloak",
            "connection_delivery": "rest",
            "enmasse_namespace": INFRASTRUCTURE,
            "answer_seconds": 5,
        }

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[None]:
        await self._store_access()
        yield

    async def _store_access(self) -> None:
        """Store the admin's credentials and the certificate of Keycloak as EnMasse does."""
        keycloak = self.stage.platforms.keycloak
        assert keycloak is not None
        login = {"admin.username": keycloak.admin_username, "admin.password": keycloak.admin_password}
        for name, data in (
            ("keycloak-credentials", login),
            ("standard-authservice-cert", {"tls.crt": keycloak.certificate}),
        ):
            if await self.stage.admin.get(f"{SECRETS}/{name}") is None:
                await self.stage.admin.create(SECRETS, {"metadata": {"name": name}, "data": secret_data(data)})

    async def realm_for(self, space: Ref) -> None:
        """Create the realm of an AddressSpace."""
        platforms, name = self.stage.platforms, f"{space.namespace}-{space.name}"
        assert platforms.keycloak is not None
        await asyncio.to_thread(platforms.keycloak.create_realm, name, space.namespace)
        platforms.realms.append(name)

    async def store_space(self, space: Ref, **annotations: str) -> None:
        """Store an AddressSpace in a ConfigMap as EnMasse does."""
        document = {"apiVersion": "v1", "kind": "ConfigMap", **space_in_config_map(space, **annotations)}  # type: ignore[arg-type]
        await self.stage.admin.apply(f"{CONFIG_MAPS}/{space.namespace}.{space.name}", document, "enmasse")
        self.stored = space

    async def drop_space(self, space: Ref) -> None:
        """Delete an AddressSpace as EnMasse does, with its realm."""
        platforms = self.stage.platforms
        assert platforms.keycloak is not None
        await self.stage.admin.delete(f"{CONFIG_MAPS}/{space.namespace}.{space.name}")
        realms, platforms.realms = platforms.realms, []
        for realm in realms:
            await asyncio.to_thread(platforms.keycloak.delete_realm, realm)

    async def clean(self) -> None:
        if (space := getattr(self, "stored", None)) is not None:
            await self.drop_space(space)

    def as_delivered(self, space: Ref, syndesis: Ref, **changes: Any) -> Delivered:
        return super().as_delivered(space, syndesis, **{"user": self.user, "certificate": "", **changes})


class KeycloakCreate(Earlier):
    """An AddressSpace and a Syndesis appear, and a user enables what is offered."""

    name = "keycloak-create"

    async def prepare(self) -> Expectation:
        self.shop = await self.stage.namespace("shop")
        await self.realm_for(Ref(self.shop, "orders"))
        return Expectation()

    async def act(self) -> Expectation:
        space = Ref(self.shop, "orders")
        await self.store_space(space)
        syndesis = await self.syndesis_in(self.shop)
        await self.stage.enable(space, syndesis)
        return Expectation(delivered=(self.as_delivered(space, syndesis),))


class KeycloakPair(Earlier):
    """A pair that is delivered before the change."""

    async def prepare(self) -> Expectation:
        shop = await self.stage.namespace("shop")
        self.space = Ref(shop, "orders")
        await self.realm_for(self.space)
        await self.store_space(self.space)
        self.syndesis = await self.syndesis_in(shop)
        await self.stage.enable(self.space, self.syndesis)
        return Expectation(delivered=(self.as_delivered(self.space, self.syndesis),))


class KeycloakDisable(KeycloakPair):
    """A user disables a pair."""

    name = "keycloak-disable"

    async def act(self) -> Expectation:
        await self.stage.enable(self.space, self.syndesis, enabled=False)
        return Expectation(offered=(Offered(self.space, self.syndesis),))


class KeycloakRotate(KeycloakPair):
    """A user requests another credential."""

    name = "keycloak-rotate"

    async def act(self) -> Expectation:
        await self.stage.rotate(self.space, self.syndesis)
        return Expectation(delivered=(self.as_delivered(self.space, self.syndesis, renewals=1),))


class KeycloakSpaceDeleted(KeycloakPair):
    """An AddressSpace is deleted with its realm."""

    name = "keycloak-space-deleted"

    async def act(self) -> Expectation:
        await self.drop_space(self.space)
        return Expectation()


class TakeOver(Earlier):
    """The operator takes over what the proof of concept left: its Integration, its user and its connection."""

    name = "take-over"
    left = "enmasse-orders-to-fuse"

    @property
    def settings(self) -> dict[str, Any]:
        return {**super().settings, "pairing_rules": "created-by"}

    async def prepare(self) -> Expectation:
        shop, self.fuse = await self.stage.namespace("shop"), await self.stage.namespace("fuse")
        self.space = Ref(shop, "orders")
        await self.realm_for(self.space)
        return Expectation()

    async def act(self) -> Expectation:
        syndesis = Ref(self.fuse, "syndesis")
        assert self.stage.deployment is not None
        async with self.stage.deployment.paused():
            await self._leave_behind(syndesis)
        taken = self.as_delivered(self.space, syndesis, integration=self.left, connection_id="i-old")
        return Expectation(delivered=(taken,))

    async def _leave_behind(self, syndesis: Ref) -> None:
        """Create what the proof of concept made, and what it was made for."""
        keycloak, server = self.stage.platforms.keycloak, self.stage.platforms.server
        assert keycloak is not None
        assert server is not None
        (realm,) = self.stage.platforms.realms
        await asyncio.to_thread(keycloak.make_user, realm, self.left, "old password")
        properties = {"connectionUri": "amqp://messaging.old.svc:5672", "username": self.left, "password": "old word"}
        stored = {"id": "i-old", "name": "made by the proof of concept", "connectorId": "amqp", "userId": "ann"}
        server.put_stored({**stored, "createdDate": 1, "configuredProperties": properties})
        await self.store_space(self.space, **{CREATED_BY["enmasse"]: "ann"})
        metadata = {"annotations": {CREATED_BY["syndesis"]: "ann"}}
        await self.stage.create("Syndesis", syndesis, metadata=metadata, spec={}, status={"phase": "Installed"})
        spec = {"serviceProvider": "fuse", "integrationType": "amqp", "client": "syndesis", "enabled": True}
        status = {"phase": "complete", "metaData": {"connectionID": "i-old", "realm": realm}}
        await self.stage.create("Integration", Ref(self.fuse, self.left), spec=spec, status=status)
        self.is_continuous = True

    def interrupted(self) -> str | None:
        count = len(self.stage.platforms.stored_by_operator())
        return f"Syndesis had {count} connections for a moment" if self.is_continuous and count != 1 else None


class Aggregated(Earlier):
    """Users are created through EnMasse's own API, which cannot be watched."""

    user = "aggregated"
    polls = frozenset(("LIST addressspaces",))

    @property
    def settings(self) -> dict[str, Any]:
        return {"poll_seconds": 1, "enmasse_namespace": INFRASTRUCTURE, "answer_seconds": 5}

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[None]:
        keycloak = self.stage.platforms.keycloak
        assert keycloak is not None
        await self._store_access()
        async with (
            Client.from_kubeconfig(self.stage.control_plane.kubeconfig()) as admin,
            realms_of(keycloak) as realms,
            AggregatedApi("0.30", admin, realms).running() as self.api,
        ):
            await self.stage.eventually("EnMasse's API is served", self._is_served)
            yield

    async def _is_served(self) -> bool:
        try:
            lists = [await self.stage.admin.get(f"/apis/{kind}") for kind in SERVED]
        except Refused:
            return False
        return all(lists)


class AggregatedCreate(Aggregated, KeycloakCreate):
    """A pair is created through EnMasse's API."""

    name = "aggregated-create"


class AggregatedRotate(Aggregated, KeycloakRotate):
    """A user requests another credential behind EnMasse's API."""

    name = "aggregated-rotate"


class AggregatedDisable(Aggregated, KeycloakDisable):
    """A user disables a pair whose user is behind EnMasse's API."""

    name = "aggregated-disable"


SCENARIOS: tuple[type[Scenario], ...] = (
    KeycloakCreate,
    KeycloakDisable,
    KeycloakRotate,
    KeycloakSpaceDeleted,
    TakeOver,
    AggregatedCreate,
    AggregatedDisable,
    AggregatedRotate,
)
