"""The users of one Keycloak: bring one to what is wanted, or remove it, safe to call again at every step.

Nothing is written before the realm itself has said that it is the AddressSpace's, and to no user that is not ours.
Written is only what differs, so that a call that changes nothing is a few reads.
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
    lost_attributes,
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
PAGE = 100  # Keycloak's own default; without it an answer ends there and does not say so
MAX_PAGES = 50
"""Pages of users whose names have ours as a part; with ours generated from the pair there is one."""
NEWEST = 253_402_300_799_999  # milliseconds: the last that a date can be
T = TypeVar("T")


class _Realm(BaseModel):
    realm: str
    attributes: dict[str, str | None] | None = None


class _Group(BaseModel):
    id: str = Field(min_length=1)
    name: str


class _User(BaseModel):
    model_config = ConfigDict(extra="allow")  # what is read is written back whole, else Keycloak drops the rest

    id: str = Field(min_length=1)
    username: str
    attributes: dict[str, list[str]] | None = None
    createdTimestamp: int | None = Field(default=None, ge=0, le=NEWEST)  # noqa: N815  Keycloak's own name; milliseconds

    @property
    def created(self) -> datetime | None:
        return None if self.createdTimestamp is None else datetime.fromtimestamp(self.createdTimestamp / 1000, UTC)


_REALM = TypeAdapter(_Realm)
_GROUPS = TypeAdapter(list[_Group])
_USERS = TypeAdapter(list[_User])


def _utc_now() -> datetime:
    return datetime.now(UTC)


class KeycloakUsers:
    """One for each Keycloak: its limit and its breaker are for all that is asked of the host."""

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
        """Users that were begun here and whose password was not seen set. What the caller knows of the password does
        not hold for a user made anew, and the answer to the creation may have been lost."""

    async def aclose(self) -> None:
        """Close the connections."""
        await self._session.aclose()

    async def ensure(self, desired: DesiredUser, *, password_known: bool) -> EnsuredUser:
        """Bring the user to what is wanted; ``password_known`` says that its password is the wanted one already.

        A caller that cannot say so, or whose last call failed, says False: the password is then written again, which
        Keycloak does not let anyone compare. A user that an administrator has disabled stays disabled.
        """
        await self._verify_realm(desired)
        written: list[str] = []
        user = await self._find(desired)
        created = user is None
        if user is None:
            user = await self._create(desired)
            written.append("user")
        else:
            self._refuse_stranger(user, desired)
        if lost := lost_attributes(user.attributes or {}, desired, user.created or self._now()):
            if desired.judge(user.attributes or {}) is Owner.RESTORED:
                self._without_password.add(_key(desired))
            await self._write_attributes(user, desired, lost)
            written.append("attributes")
        if not password_known or _key(desired) in self._without_password:
            path = (desired.realm, "users", user.id, "reset-password")
            await self._session.call("PUT", *path, expect=(204,), body=_credential(desired))
            self._without_password.discard(_key(desired))
            written.append("password")
        written += await self._settle_groups(user, desired)
        return EnsuredUser(user.id, created, tuple(written))

    async def is_there(self, desired: UserKey) -> bool:
        """Check if there is a user of this pair; one read, which shows neither its password nor its groups."""
        user = await self._find(desired)
        return user is not None and desired.judge(user.attributes or {}) is Owner.THIS_PAIR

    async def remove(self, desired: UserKey) -> bool:
        """Delete the user if it is this pair's; return True if there was one.

        A realm that is gone has no users.
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
        """Make sure that the realm is that of an AddressSpace in the wanted namespace.

        Its name comes from an annotation that a tenant can write. EnMasse gives its realms both attributes
        (``Keycloak.java:33-40`` in 0.22.0). A database that compares without case answers ``Master`` with ``master``,
        so the answer's own name counts.
        """
        if not key.realm:
            raise RealmMissing(f"AddressSpace {key.pair.space} does not name its realm (yet)")
        if key.realm.lower() == MASTER or key.realm in (".", ".."):  # as a path, dots would lead to another realm
            raise RealmForeign(_not_its_own(key))
        answer = await self._session.call("GET", key.realm, expect=(200, 404))
        if answer.status == 404:
            await self._session.call("GET", MASTER, expect=(200,))  # it was Keycloak that said so, not a proxy
            raise RealmMissing(f"the realm of AddressSpace {key.pair.space} does not exist (yet)")
        realm = _read(_REALM, answer.document, "a realm")
        attributes = realm.attributes or {}
        if (
            realm.realm != key.realm
            or attributes.get("namespace") != key.namespace
            or attributes.get("enmasse-realm") != "true"
        ):
            raise RealmForeign(_not_its_own(key))

    async def _find(self, key: UserKey) -> _User | None:
        """Return the user of exactly this name. Keycloak's search finds every name that has it as a part."""
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
            if len(page) < PAGE or len(seen) == before:  # the last page, or a server that gives the first one again
                return None
        said = f"more than {MAX_PAGES * PAGE} users of AddressSpace {key.pair.space} have {key.name!r} in their names"
        endless = KeycloakUnavailable(said)
        self._session.trip(endless)
        raise endless

    async def _create(self, desired: DesiredUser) -> _User:
        """Make the user and read it back. Who lost a race is told 409, and what is there then decides.

        The password goes with it, so that a crash leaves no user without one; Keycloak of 2018 and before does not
        take it from there (KEYCLOAK-7910).
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
                f"user {desired.name!r} of AddressSpace {desired.pair.space} was created and is gone again"
            )
        if answer.created == user.id and desired.judge(user.attributes or {}) is not Owner.THIS_PAIR:
            # Left there it would be nobody's, and EnMasse could not list its users any more.
            await self._session.call("DELETE", desired.realm, "users", user.id, expect=(204, 404))
            raise AttributesDropped(
                f"the realm of AddressSpace {desired.pair.space} drops the attributes of its users; "
                "Keycloak's administrator must allow unmanaged attributes in its user profile"
            )
        self._refuse_stranger(user, desired)
        return user

    def _refuse_stranger(self, user: _User, desired: DesiredUser) -> None:
        if desired.judge(user.attributes or {}) in (Owner.FOREIGN, Owner.OTHER_PAIR):
            raise UserForeign(
                f"user name {desired.name!r} is taken in AddressSpace {desired.pair.space} by a user that was not made "
                "for this pair; choose another, or have its owner rename or delete it"
            )

    async def _write_attributes(self, user: _User, desired: DesiredUser, lost: dict[str, list[str]]) -> None:
        """Add attributes. The whole user is written, because Keycloak replaces all attributes by those it is given."""
        body: dict[str, Any] = user.model_dump(exclude_unset=True)
        body["attributes"] = {**(user.attributes or {}), **lost}
        await self._session.call("PUT", desired.realm, "users", user.id, expect=(204,), body=body)

    async def _settle_groups(self, user: _User, desired: DesiredUser) -> list[str]:
        """Join the groups that are missing, made first where the realm has none of that name; leave those too many.

        Groups that grant nothing in EnMasse are not ours, and stay.
        """
        names = group_names(
            desired.authorization, address_space_type=desired.address_space_type, release=desired.release
        )
        member = await self._groups(desired.realm, "users", user.id, "groups")
        written: list[str] = []
        if missing := [name for name in names if name not in member]:
            known = await self._provide_groups(desired.realm, missing)
            for name in missing:
                path = (desired.realm, "users", user.id, "groups", known[name])
                await self._session.call("PUT", *path, expect=(204,))
                written.append(f"join {name}")
        for name, group in member.items():
            if name not in names and is_permission(name):
                path = (desired.realm, "users", user.id, "groups", group)
                await self._session.call("DELETE", *path, expect=(204, 404))
                written.append(f"leave {name}")
        return written

    async def _provide_groups(self, realm: str, names: list[str]) -> dict[str, str]:
        """Return the ids of these groups by name; create those that do not exist, unless another client just did."""
        known = await self._groups(realm, "groups")
        if absent := [name for name in names if name not in known]:
            for name in absent:
                await self._session.call("POST", realm, "groups", expect=(201, 409), body={"name": name})
            known = await self._groups(realm, "groups")
        if gone := [name for name in names if name not in known]:
            raise KeycloakChanged(f"groups {', '.join(gone)} were created and are gone again")
        return known

    async def _groups(self, *path: str) -> dict[str, str]:
        answer = await self._session.call("GET", *path, expect=(200,))
        return {group.name: group.id for group in _read(_GROUPS, answer.document, "a list of groups")}


def _not_its_own(key: UserKey) -> str:
    """Return what is wrong, without the realm's name: it is the giver's, and messages reach the receiver."""
    return (
        f"the realm that AddressSpace {key.pair.space} names is not one of EnMasse's for namespace {key.namespace!r}; "
        f"its owner must correct the annotation {ENMASSE_REALM}"
    )


def _key(key: UserKey) -> UserKey:
    """Return the key alone, so that no password is kept here."""
    return UserKey(realm=key.realm, pair=key.pair, username=key.name)


def _credential(desired: DesiredUser) -> dict[str, Any]:
    return {"type": "password", "value": desired.password, "temporary": False}


def _read(adapter: TypeAdapter[T], document: Any, what: str) -> T:
    try:
        return adapter.validate_python(document)
    except ValidationError:  # its text shows what was sent
        raise KeycloakUnavailable(f"Keycloak's answer is not {what}") from None
