"""The users of one Keycloak. Each operation can be repeated after a failure at any step.

The realm is verified as that of the AddressSpace before any write, and a foreign user is never changed. Only
differences are written, so an operation without changes is a few reads.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from integration_operator.api.names import ENMASSE_REALM
from integration_operator.backends.circuit_breaker import CircuitBreaker
from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.desired import (
    DesiredUser,
    EnsuredUser,
    UserKey,
    attributes_of,
    missing_attributes,
)
from integration_operator.backends.keycloak.errors import (
    AttributesDropped,
    KeycloakChanged,
    KeycloakUnavailable,
    RealmForeign,
    RealmMissing,
    UserForeign,
)
from integration_operator.backends.keycloak.groups import group_names, is_permission
from integration_operator.backends.keycloak.session import AdminSession
from integration_operator.backends.limits import DEFAULT, Limits
from integration_operator.domain.policies.ownership import Owner

MASTER = "master"
PAGE = 100  # Keycloak's default; without a page size an answer is silently truncated to it
MAX_PAGES = 50
"""Pages of users whose names contain ours; a name that is generated from the pair has one."""
MAX_TIMESTAMP = 253_402_300_799_999  # milliseconds; the maximum of datetime
T = TypeVar("T")


class _Realm(BaseModel):
    realm: str
    attributes: dict[str, str | None] | None = None


class _Group(BaseModel):
    id: str = Field(min_length=1)
    name: str


class _User(BaseModel):
    model_config = ConfigDict(extra="allow")  # written back in full, because Keycloak drops absent fields

    id: str = Field(min_length=1)
    username: str
    attributes: dict[str, list[str]] | None = None
    createdTimestamp: int | None = Field(default=None, ge=0, le=MAX_TIMESTAMP)  # noqa: N815  Keycloak's own name; milliseconds

    @property
    def created(self) -> datetime | None:
        return None if self.createdTimestamp is None else datetime.fromtimestamp(self.createdTimestamp / 1000, UTC)


_REALM = TypeAdapter(_Realm)
_GROUPS = TypeAdapter(list[_Group])
_USERS = TypeAdapter(list[_User])


def _utc_now() -> datetime:
    return datetime.now(UTC)


class KeycloakUsers:
    """Manages the users of one Keycloak, with one limit and one circuit breaker for the host."""

    def __init__(
        self,
        access: KeycloakAccess,
        *,
        breaker: CircuitBreaker | None = None,
        limits: Limits = DEFAULT,
        now: Callable[[], datetime] = _utc_now,
    ) -> None:
        self.access = access
        self._session = AdminSession(access, breaker, limits)
        self._now = now
        self._without_password: set[UserKey] = set()
        """Users that were created here and whose password is not confirmed. For them ``password_known`` does not count,
        because the answer to the creation may have been lost."""

    @property
    def is_circuit_open(self) -> bool:
        """True if requests to this Keycloak are held back."""
        return self._session.is_circuit_open

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.aclose()

    async def ensure(self, desired: DesiredUser, *, password_known: bool) -> EnsuredUser:
        """Create or update the user. ``password_known`` is True if its password is confirmed.

        False, also after a failed call, writes the password again, because Keycloak cannot compare it. A user that an
        administrator has disabled stays disabled.
        """
        await self._verify_realm(desired)
        written: list[str] = []
        user = await self._find(desired)
        created = user is None
        if user is None:
            user = await self._create(desired)
            written.append("user")
        else:
            self._refuse_foreign(user, desired)
        if missing := missing_attributes(user.attributes or {}, desired, user.created or self._now()):
            if desired.judge(user.attributes or {}) is Owner.RESTORED:
                self._without_password.add(_key(desired))
            await self._write_attributes(user, desired, missing)
            written.append("attributes")
        if not password_known or _key(desired) in self._without_password:
            path = (desired.realm, "users", user.id, "reset-password")
            await self._session.call("PUT", *path, expect=(204,), body=_credential(desired))
            self._without_password.discard(_key(desired))
            written.append("password")
        written += await self._sync_groups(user, desired)
        return EnsuredUser(user.id, created, tuple(written))

    async def exists(self, desired: UserKey) -> bool:
        """Return True if the pair's user exists: one read, which shows neither password nor groups."""
        user = await self._find(desired)
        return user is not None and desired.judge(user.attributes or {}) is Owner.THIS_PAIR

    async def remove(self, desired: UserKey) -> bool:
        """Delete the user if this pair owns it; return True if it existed.

        If the realm does not exist, there are no users.
        """
        try:
            await self._verify_realm(desired)
        except RealmMissing:
            return False
        user = await self._find(desired)
        if user is None or desired.judge(user.attributes or {}) is not Owner.THIS_PAIR:
            return False
        answer = await self._session.call("DELETE", desired.realm, "users", user.id, expect=(204, 404))
        self._without_password.discard(_key(desired))
        return answer.status == 204

    async def _verify_realm(self, key: UserKey) -> None:
        """Check that the realm is that of an AddressSpace in the namespace.

        The name of the realm is in an annotation that a tenant can write. EnMasse sets both attributes on its realms
        (``Keycloak.java:33-40`` in 0.22.0). A case-insensitive database returns ``master`` for ``Master``, so the name
        in the answer counts.
        """
        if not key.realm:
            raise RealmMissing(f"AddressSpace {key.pair.space} does not name its realm (yet)")
        if key.realm.lower() == MASTER or key.realm in (".", ".."):  # in a path, dots lead to another realm
            raise RealmForeign(_foreign_realm(key))
        answer = await self._session.call("GET", key.realm, expect=(200, 404))
        if answer.status == 404:
            await self._session.call("GET", MASTER, expect=(200,))  # the 404 is of Keycloak, not of a proxy
            raise RealmMissing(f"the realm of AddressSpace {key.pair.space} does not exist (yet)")
        realm = _read(_REALM, answer.document, "a realm")
        attributes = realm.attributes or {}
        if (
            realm.realm != key.realm
            or attributes.get("namespace") != key.namespace
            or attributes.get("enmasse-realm") != "true"
        ):
            raise RealmForeign(_foreign_realm(key))

    async def _find(self, key: UserKey) -> _User | None:
        """Return the user with exactly this name. Keycloak's search returns every name that contains it."""
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            query = {"username": key.name, "briefRepresentation": "false", "first": str(len(seen)), "max": str(PAGE)}
            answer = await self._session.call("GET", key.realm, "users", expect=(200,), query=query)
            page = _read(_USERS, answer.document, "a list of users")
            for user in page:
                if user.username.lower() == key.name:
                    return user
            before = len(seen)
            seen.update(user.id for user in page)
            if len(page) < PAGE or len(seen) == before:  # the last page, or a server that ignores the offset
                return None
        message = f"more than {MAX_PAGES * PAGE} user names of AddressSpace {key.pair.space} contain {key.name!r}"
        endless = KeycloakUnavailable(message)
        self._session.trip(endless)
        raise endless

    async def _create(self, desired: DesiredUser) -> _User:
        """Create the user and read it back. After a lost race (409) the existing user counts.

        The body has the password, so that a crash leaves no user without one. Keycloak of 2018 and before ignores it
        (KEYCLOAK-7910).
        """
        self._without_password.add(_key(desired))
        body = {
            "username": desired.name,
            "enabled": True,
            "attributes": attributes_of(desired, self._now()),
            "credentials": [_credential(desired)],
        }
        answer = await self._session.call("POST", desired.realm, "users", expect=(201, 409), body=body)
        user = await self._find(desired)
        if user is None:
            raise KeycloakChanged(
                f"user {desired.name!r} of AddressSpace {desired.pair.space} was deleted after its creation"
            )
        if answer.created == user.id and desired.judge(user.attributes or {}) is not Owner.THIS_PAIR:
            # Without attributes it has no owner, and EnMasse can no longer list its users.
            await self._session.call("DELETE", desired.realm, "users", user.id, expect=(204, 404))
            raise AttributesDropped(
                f"the realm of AddressSpace {desired.pair.space} drops the attributes of its users; "
                "Keycloak's administrator must allow unmanaged attributes in its user profile"
            )
        self._refuse_foreign(user, desired)
        return user

    def _refuse_foreign(self, user: _User, desired: DesiredUser) -> None:
        if desired.judge(user.attributes or {}) in (Owner.FOREIGN, Owner.OTHER_PAIR):
            raise UserForeign(
                f"user name {desired.name!r} is taken in AddressSpace {desired.pair.space} by a user that was not "
                "created for this pair; choose another name, or have its owner rename or delete it"
            )

    async def _write_attributes(self, user: _User, desired: DesiredUser, attributes: dict[str, list[str]]) -> None:
        """Add attributes. The user is written in full, because Keycloak replaces all attributes."""
        body: dict[str, Any] = user.model_dump(exclude_unset=True)
        body["attributes"] = {**(user.attributes or {}), **attributes}
        await self._session.call("PUT", desired.realm, "users", user.id, expect=(204,), body=body)

    async def _sync_groups(self, user: _User, desired: DesiredUser) -> list[str]:
        """Join missing groups, created if necessary, and leave groups that are no longer desired.

        Groups that grant nothing in EnMasse are kept.
        """
        names = group_names(
            desired.authorization, address_space_type=desired.address_space_type, release=desired.release
        )
        member = await self._groups(desired.realm, "users", user.id, "groups")
        written: list[str] = []
        if missing := [name for name in names if name not in member]:
            ids = await self._ensure_groups(desired.realm, missing)
            for name in missing:
                path = (desired.realm, "users", user.id, "groups", ids[name])
                await self._session.call("PUT", *path, expect=(204,))
                written.append(f"join {name}")
        for name, group in member.items():
            if name not in names and is_permission(name):
                path = (desired.realm, "users", user.id, "groups", group)
                await self._session.call("DELETE", *path, expect=(204, 404))
                written.append(f"leave {name}")
        return written

    async def _ensure_groups(self, realm: str, names: list[str]) -> dict[str, str]:
        """Return the ids of the groups by name; create those that do not exist. Another client may create them too."""
        ids = await self._groups(realm, "groups")
        if missing := [name for name in names if name not in ids]:
            for name in missing:
                await self._session.call("POST", realm, "groups", expect=(201, 409), body={"name": name})
            ids = await self._groups(realm, "groups")
        if deleted := [name for name in names if name not in ids]:
            raise KeycloakChanged(f"groups {', '.join(deleted)} were deleted after their creation")
        return ids

    async def _groups(self, *path: str) -> dict[str, str]:
        answer = await self._session.call("GET", *path, expect=(200,))
        return {group.name: group.id for group in _read(_GROUPS, answer.document, "a list of groups")}


def _foreign_realm(key: UserKey) -> str:
    """Return the message, without the name of the realm: the giver owns it, and the receiver reads messages."""
    return (
        f"the realm that AddressSpace {key.pair.space} names is not one of EnMasse's for namespace {key.namespace!r}; "
        f"its owner must correct the annotation {ENMASSE_REALM}"
    )


def _key(key: UserKey) -> UserKey:
    """Return the key without the password, to keep it in memory."""
    return UserKey(realm=key.realm, pair=key.pair, username=key.name, inherited=key.inherited)


def _credential(desired: DesiredUser) -> dict[str, Any]:
    return {"type": "password", "value": desired.password, "temporary": False}


def _read(adapter: TypeAdapter[T], document: Any, what: str) -> T:
    try:
        return adapter.validate_python(document)
    except ValidationError:  # its text may quote the request
        raise KeycloakUnavailable(f"Keycloak's answer is not {what}") from None
