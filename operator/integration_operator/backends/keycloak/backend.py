"""Messaging users in EnMasse's Keycloaks, from what EnMasse keeps about them in the cluster.

An AddressSpace names its authentication service, and each of those has a Keycloak. Address, CA and the admin's password
are read from EnMasse's own Service, Route and Secrets when they are first needed, and again when Keycloak refuses the
admin: a password that was changed is found by itself.
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
    """Users in the Keycloaks of the EnMasse in ``namespace``.

    ``url`` takes the place of their Services and Routes. ``release`` is EnMasse's, if the settings say it.
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
        """By authentication service."""
        self._replaced: list[KeycloakUsers] = []
        """Calls may be under way on them."""
        self._doubtful: set[str] = set()
        """The authentication services whose Keycloak refused the admin."""
        self._connecting = asyncio.Lock()
        self._on_recovery: list[Callable[[None], None]] = []

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        """Bring the user to what is desired; if that is confirmed already, check with one read that it exists."""
        desired = _desired(action, self._release)
        known = action.known.delivery == "keycloak" and action.known.credentials == action.credentials
        users = await self._connected(action.space)
        try:
            if not (action.confirmed and await users.is_there(desired)):
                await users.ensure(desired, password_known=known)
        except AdminRefused:
            self._doubtful.add(_service_of(action.space))
            raise
        return RemoteState("keycloak", Presence.PRESENT, desired.username, action.applied, action.credentials)

    async def delete(self, action: DeleteRemote) -> None:
        """Delete the user if it is this pair's."""
        assert action.space is not None
        assert action.username is not None
        realm = action.space.realm
        if realm is None:
            return
        key = UserKey(realm=realm, pair=action.pair, username=action.username)
        users = await self._connected(action.space)
        try:
            await users.remove(key)
        except AdminRefused:
            self._doubtful.add(_service_of(action.space))
            raise

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        """Call back when a Keycloak that was left alone answers again; one serves the users of many namespaces."""
        self._on_recovery.append(callback)

    async def close(self) -> None:
        """Close the connections."""
        for users in (*self._users.values(), *self._replaced):
            await users.aclose()

    async def _connected(self, space: AddressSpace) -> KeycloakUsers:
        """Return the users of a space's Keycloak; access to it is looked up once, and again if it was refused."""
        service = _service_of(space)
        async with self._connecting:
            known = self._users.get(service)
            if known is not None and service not in self._doubtful:
                return known
            access = await self._access(service)
            self._doubtful.discard(service)
            if known is not None and known.access == access:
                return known
            if known is not None:
                self._replaced.append(known)
            # The library takes 14 MiB, and most clusters never need it.
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
        """Look up the Keycloak of an authentication service. Raises ``AccessMissing``."""
        described = await self._get("apis/admin.enmasse.io/v1beta1", "authenticationservices", service)
        known = _known_names(self._release, described)
        for names in known:
            credentials = await self._get("api/v1", "secrets", names.credentials)
            if credentials is None:
                continue
            certificate = await self._get("api/v1", "secrets", names.certificate)
            if self._url is not None:
                given = access_from(credentials, certificate, service=_ANY_SERVICE)
                return KeycloakAccess(self._url, given.username, given.password, given.certificate)
            found = await self._get("api/v1", "services", names.service)
            route = await self._get("apis/route.openshift.io/v1", "routes", names.route) if found is None else None
            return access_from(credentials, certificate, service=found, route=route)
        tried = ", ".join(sorted({names.credentials for names in known}))
        raise AccessMissing(
            f"namespace {self._namespace} has none of the Secrets {tried}; is it EnMasse's (setting enmasse_namespace)?"
        )

    async def _get(self, group: str, plural: str, name: str) -> Document | None:
        try:
            return await self._client.get(f"/{group}/namespaces/{self._namespace}/{plural}/{name}")
        except NotFound:
            return None
        except Forbidden as error:
            raise AccessMissing(f"{error.message}; apply deploy/kustomize/keycloak, or extend its Role") from None


_ANY_SERVICE: Document = {"metadata": {}, "spec": {"ports": [{"name": "https", "port": 0}]}}
"""In the place of EnMasse's Service, where a setting says the address and only the rest is read."""


def _service_of(space: AddressSpace) -> str:
    return space.authentication or DEFAULT_SERVICE


def _known_names(release: str | None, described: Document | None) -> tuple[ObjectNames, ...]:
    """What EnMasse may call a Keycloak's objects, where an AuthenticationService describes it and where none does.

    Older releases first, because an upgraded EnMasse keeps those names.
    """
    if described is not None or release is not None:
        return (object_names(release, described),)
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
        password=action.credential.password,
        authorization=spec.get("authorization") or (),
        address_space_type="brokered" if space.brokered else "standard",
        release=release,
    )
