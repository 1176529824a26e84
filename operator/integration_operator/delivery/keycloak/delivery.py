"""Messaging users in EnMasse's Keycloak, from what EnMasse keeps about it in the cluster.

Address, CA and the admin's password are read from EnMasse's own Service, Route and Secrets when they are first needed,
and again when Keycloak refuses the admin: a password that was changed is found by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from integration_operator.delivery.keycloak.access import (
    DEFAULT_SERVICE,
    KeycloakAccess,
    ObjectNames,
    access_from,
    object_names,
)
from integration_operator.delivery.keycloak.errors import AccessMissing, AdminRefused, RealmMissing
from integration_operator.delivery.keycloak.wanted import UserKey, WantedUser
from integration_operator.domain.actions import Deliver, Withdraw
from integration_operator.domain.naming import space_of_proof_of_concept
from integration_operator.domain.platforms import AddressSpace
from integration_operator.domain.remote import Remote
from integration_operator.kube.client import Client
from integration_operator.kube.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from integration_operator.delivery.keycloak.client import KeycloakUsers

Document = dict[str, Any]


class KeycloakDelivery:
    """Users in the Keycloak of the EnMasse in ``namespace``; ``url`` takes the place of its Service and Route."""

    def __init__(self, client: Client, namespace: str, url: str | None = None) -> None:
        self._client = client
        self._namespace = namespace
        self._url = url
        self._users: KeycloakUsers | None = None

    async def deliver(self, action: Deliver) -> Remote:
        """Bring the user to what is wanted; where that is confirmed already, one read looks whether it is there."""
        wanted = _wanted(action)
        confirmed = action.known.delivery == "keycloak" and action.known.confirmed(action.applied, action.credentials)
        users = await self._connected()
        if not (confirmed and await users.is_there(wanted)):
            known = action.known.delivery == "keycloak" and action.known.credentials == action.credentials
            try:
                await users.ensure(wanted, password_known=known)
            except AdminRefused:
                await self.close()
                raise
        return Remote("keycloak", True, wanted.username, action.applied, action.credentials)

    async def withdraw(self, action: Withdraw) -> str:
        """Remove the user, where it is ours."""
        assert action.space is not None
        assert action.username is not None
        realm = action.space.realm
        if realm is None:
            return ""
        key = UserKey(
            realm=realm,
            namespace=action.space.ref.namespace,
            resource_name=action.ref.name,
            username=action.username,
        )
        users = await self._connected()
        try:
            await users.remove(key)
        except AdminRefused:
            await self.close()
            raise
        return ""

    async def close(self) -> None:
        """Close the connections; the next call opens them anew, with what the cluster says then."""
        if self._users is not None:
            await self._users.aclose()
            self._users = None

    async def _connected(self) -> KeycloakUsers:
        if self._users is None:
            # The library takes 14 MiB, and most clusters never need it.
            from integration_operator.delivery.keycloak.client import KeycloakUsers

            self._users = KeycloakUsers(await self._access())
        return self._users

    async def _access(self) -> KeycloakAccess:
        """Where Keycloak is, by the names of whichever release is installed. Raises ``AccessMissing``."""
        for names in _known_names():
            credentials = await self._get("api/v1", "secrets", names.credentials)
            if credentials is None:
                continue
            certificate = await self._get("api/v1", "secrets", names.certificate)
            if self._url is not None:
                given = access_from(credentials, certificate, service=_ANY_SERVICE)
                return KeycloakAccess(self._url, given.username, given.password, given.certificate)
            service = await self._get("api/v1", "services", names.service)
            route = await self._get("apis/route.openshift.io/v1", "routes", names.route) if service is None else None
            return access_from(credentials, certificate, service=service, route=route)
        tried = ", ".join(sorted({names.credentials for names in _known_names()}))
        raise AccessMissing(f"namespace {self._namespace} has none of the Secrets {tried}")

    async def _get(self, group: str, plural: str, name: str) -> Document | None:
        try:
            return await self._client.get(f"/{group}/namespaces/{self._namespace}/{plural}/{name}")
        except NotFound:
            return None
        except Forbidden as error:
            raise AccessMissing(f"no permission: {error.message}") from None


_ANY_SERVICE: Document = {"metadata": {}, "spec": {"ports": [{"name": "https", "port": 0}]}}
"""In the place of EnMasse's Service, where a setting says the address and only the rest is read."""


def _known_names() -> tuple[ObjectNames, ...]:
    """What EnMasse calls its Keycloak's objects: older releases first, because upgraded ones keep those names."""
    return object_names(None), object_names(None, {"metadata": {"name": DEFAULT_SERVICE}})


def _wanted(action: Deliver) -> WantedUser:
    space: AddressSpace = action.space
    if space.realm is None:
        raise RealmMissing(f"AddressSpace {space.ref} does not name its realm")
    spec = action.document["spec"]
    return WantedUser(
        realm=space.realm,
        namespace=space.ref.namespace,
        resource_name=action.ref.name,
        username=action.credential.username,
        password=action.credential.password,
        authorization=spec.get("authorization") or (),
        address_space_type="brokered" if space.brokered else "standard",
        adopt=space_of_proof_of_concept(action.credential.username) == space.ref.name,
    )
