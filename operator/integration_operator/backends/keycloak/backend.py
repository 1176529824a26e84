"""The REST backend for messaging users in EnMasse's Keycloaks.

An AddressSpace names its authentication service, and each of those has a Keycloak. Address, CA and admin password are
read from EnMasse's Service, Route and Secrets on first use, and again if Keycloak refuses the admin, so that a changed
password is picked up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from integration_operator.backends.circuit_breaker import CircuitBreaker
from integration_operator.backends.keycloak.access import (
    DEFAULT_SERVICE,
    KeycloakAccess,
    ObjectNames,
    access_from,
    object_names,
)
from integration_operator.backends.keycloak.desired import DesiredUser, UserKey
from integration_operator.backends.keycloak.errors import (
    AccessMissing,
    AdminRefused,
    KeycloakUnavailable,
    RealmMissing,
)
from integration_operator.backends.limits import DEFAULT, Limits
from integration_operator.domain.model.actions import DeleteRemote, EnsureRemote
from integration_operator.domain.model.platforms import AddressSpace
from integration_operator.domain.model.remote_state import Presence, RemoteState
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import Forbidden, NotFound

if TYPE_CHECKING:
    from integration_operator.backends.keycloak.client import KeycloakUsers

Document = dict[str, Any]


class KeycloakBackend:
    """Manages users in the Keycloaks of the EnMasse in ``namespace``.

    ``url`` replaces Services and Routes. ``release`` is that of EnMasse, None if the settings do not name it.
    """

    def __init__(
        self,
        client: Client,
        namespace: str,
        *,
        url: str | None = None,
        release: str | None = None,
        limits: Limits = DEFAULT,
    ) -> None:
        self._client = client
        self._namespace = namespace
        self._url = url
        self._release = release
        self._limits = limits
        self._users: dict[str, KeycloakUsers] = {}
        """Users by authentication service."""
        self._replaced: list[KeycloakUsers] = []
        """Users with former credentials, which may have requests in flight."""
        self._refused: set[str] = set()
        """Authentication services whose Keycloak refused the admin."""
        self._connecting = asyncio.Lock()
        self._on_recovery: list[Callable[[None], None]] = []

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        """Create or update the user; if it is confirmed, check with one read that it exists."""
        desired = _desired(action, self._release)
        password_known = action.remote.delivery == "keycloak" and action.remote.credentials == action.credentials
        users = await self._connected(action.space)
        try:
            if not (action.confirmed and await users.exists(desired)):
                await users.ensure(desired, password_known=password_known)
        except AdminRefused:
            self._refused.add(_service_of(action.space))
            raise
        return RemoteState("keycloak", Presence.PRESENT, desired.username, action.applied, action.credentials)

    async def delete(self, action: DeleteRemote) -> None:
        """Delete the user if this pair owns it."""
        assert action.space is not None
        assert action.username is not None
        realm = action.space.realm
        if realm is None:
            return
        key = UserKey(realm=realm, pair=action.pair, username=action.username, inherited=action.inherited)
        users = await self._connected(action.space)
        try:
            await users.remove(key)
        except AdminRefused:
            self._refused.add(_service_of(action.space))
            raise

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        """Call ``callback`` with None when a Keycloak recovers: it serves the users of many namespaces."""
        self._on_recovery.append(callback)

    def open_circuits(self) -> int:
        """Return the number of Keycloaks to which requests are held back."""
        return sum(users.is_circuit_open for users in self._users.values())

    async def close(self) -> None:
        """Close the connections."""
        for users in (*self._users.values(), *self._replaced):
            await users.aclose()

    async def _connected(self, space: AddressSpace) -> KeycloakUsers:
        """Return the users of the Keycloak of a space; its access is read once, and again after a refusal."""
        service = _service_of(space)
        async with self._connecting:
            users = self._users.get(service)
            if users is not None and service not in self._refused:
                return users
            access = await self._access(service)
            self._refused.discard(service)
            if users is not None and users.access == access:
                return users
            if users is not None:
                self._replaced.append(users)
            # Imported here: the library takes 14 MiB, and most clusters do not need it.
            from integration_operator.backends.keycloak.client import KeycloakUsers

            self._users[service] = KeycloakUsers(access, breaker=self._breaker(access), limits=self._limits)
            return self._users[service]

    def _breaker(self, access: KeycloakAccess) -> CircuitBreaker:
        hint = f"Is Keycloak running in namespace {self._namespace}?"
        return CircuitBreaker(access.host, KeycloakUnavailable, hint=hint, recovered=self._recovered)

    def _recovered(self) -> None:
        for callback in self._on_recovery:
            callback(None)

    async def _access(self, service: str) -> KeycloakAccess:
        """Read the access to the Keycloak of an authentication service. Raises ``AccessMissing``."""
        authentication_service = await self._get("apis/admin.enmasse.io/v1beta1", "authenticationservices", service)
        candidates = _candidate_names(self._release, authentication_service)
        for names in candidates:
            credentials = await self._get("api/v1", "secrets", names.credentials)
            if credentials is None:
                continue
            certificate = await self._get("api/v1", "secrets", names.certificate)
            if self._url is not None:
                access = access_from(credentials, certificate, service=_ANY_SERVICE)
                return KeycloakAccess(self._url, access.username, access.password, access.certificate)
            service_object = await self._get("api/v1", "services", names.service)
            route = None
            if service_object is None:
                route = await self._get("apis/route.openshift.io/v1", "routes", names.route)
            return access_from(credentials, certificate, service=service_object, route=route)
        secrets = ", ".join(sorted({names.credentials for names in candidates}))
        raise AccessMissing(
            f"namespace {self._namespace} has none of the Secrets {secrets}; check the setting enmasse_namespace"
        )

    async def _get(self, group: str, plural: str, name: str) -> Document | None:
        try:
            return await self._client.get(f"/{group}/namespaces/{self._namespace}/{plural}/{name}")
        except NotFound:
            return None
        except Forbidden as error:
            raise AccessMissing(f"{error.message}; apply deploy/kustomize/keycloak, or extend its Role") from None


_ANY_SERVICE: Document = {"metadata": {}, "spec": {"ports": [{"name": "https", "port": 0}]}}
"""Replaces EnMasse's Service if a setting has the address."""


def _service_of(space: AddressSpace) -> str:
    return space.authentication or DEFAULT_SERVICE


def _candidate_names(release: str | None, authentication_service: Document | None) -> tuple[ObjectNames, ...]:
    """Return the possible names of a Keycloak's objects.

    Those of older releases are first, because an upgraded EnMasse keeps them.
    """
    if authentication_service is not None or release is not None:
        return (object_names(release, authentication_service),)
    return object_names(None), object_names(None, {"metadata": {"name": DEFAULT_SERVICE}})


def _desired(action: EnsureRemote, release: str | None) -> DesiredUser:
    space: AddressSpace = action.space
    if space.realm is None:
        raise RealmMissing(f"AddressSpace {space.ref} does not name its realm (yet)")
    spec = action.document["spec"]
    return DesiredUser(
        realm=space.realm,
        pair=action.pair,
        username=action.credential.username,
        inherited=action.inherited,
        password=action.credential.password,
        authorization=spec.get("authorization") or (),
        address_space_type="brokered" if space.brokered else "standard",
        release=release,
    )
