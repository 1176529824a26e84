"""A messaging user as it should be, and whose a user is that is there: pure, so that a table can test it.

The attributes are those that EnMasse writes itself and dereferences without a check when it reads a user back: one
user without them makes it answer 500 to every list of the namespace (``KeycloakUserApi.java:375-388`` in 0.22.0,
``:729-744`` in 0.30.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Literal

Attributes = Mapping[str, Sequence[str]]

RESOURCE_NAME = "resourceName"
RESOURCE_NAMESPACE = "resourceNamespace"
AUTHENTICATION_TYPE = "authenticationType"
CREATION_TIMESTAMP = "creationTimestamp"
ENMASSE_ATTRIBUTES = frozenset(
    {
        RESOURCE_NAME,
        RESOURCE_NAMESPACE,
        AUTHENTICATION_TYPE,
        CREATION_TIMESTAMP,
        "fromCrd",  # since 0.31; the upgrade to it passes over users that have it, so we never write it
        "ownerReferences",  # since 0.27
        "annotations",  # since 0.30
    }
)
PASSWORD = "password"  # noqa: S105  a type of authentication


@dataclass(frozen=True, slots=True, kw_only=True)
class UserKey:
    """Which user of which realm; ``namespace`` is the AddressSpace's, ``resource_name`` is ``<space>.<user>``."""

    realm: str
    namespace: str
    resource_name: str
    username: str

    @property
    def name(self) -> str:
        """The name as Keycloak keeps it, in lower case."""
        return self.username.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedUser(UserKey):
    """A user with a password and what it may do.

    ``authorization`` is a MessagingUser's. ``release`` is EnMasse's, None where nobody knows. ``adopt`` allows to take
    over a user of that name that EnMasse does not know of: the proof of concept made such ones.
    """

    password: str = field(repr=False)
    authorization: Sequence[Mapping[str, Any]]
    address_space_type: Literal["standard", "brokered"]
    release: str | None = None
    adopt: bool = False


@dataclass(frozen=True, slots=True)
class EnsuredUser:
    """A user that is as it was wanted; ``written`` names what had to be changed for that."""

    id: str
    created: bool
    written: tuple[str, ...]


class Standing(Enum):
    """Whose a user of the wanted name is."""

    OURS = "ours"
    LEFTOVER = "leftover"
    """Of no one that EnMasse knows."""
    STRANGER = "stranger"


def standing(attributes: Attributes, key: UserKey) -> Standing:
    """Whose a user with these attributes is. One whose attributes are half lost is a stranger: nobody can say."""
    if not any(attributes.get(name) for name in ENMASSE_ATTRIBUTES):
        return Standing.LEFTOVER
    if (
        list(attributes.get(RESOURCE_NAME) or ()) == [key.resource_name]
        and list(attributes.get(RESOURCE_NAMESPACE) or ()) == [key.namespace]
        and list(attributes.get(AUTHENTICATION_TYPE) or ()) in ([], [PASSWORD])  # else a service account of that name
    ):
        return Standing.OURS
    return Standing.STRANGER


def attributes_of(key: UserKey, created: datetime) -> dict[str, list[str]]:
    """What a user of ours carries (``KeycloakUserApi.java:92-97`` in 0.22.0, ``:186-195`` in 0.30.3)."""
    return {
        RESOURCE_NAME: [key.resource_name],
        RESOURCE_NAMESPACE: [key.namespace],
        AUTHENTICATION_TYPE: [PASSWORD],
        CREATION_TIMESTAMP: [timestamp(created)],
    }


def lost_attributes(attributes: Attributes, key: UserKey, created: datetime) -> dict[str, list[str]]:
    """Those of ``attributes_of`` that are not there."""
    return {name: value for name, value in attributes_of(key, created).items() if not attributes.get(name)}


def timestamp(moment: datetime) -> str:
    """EnMasse's format, ``yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`` in UTC, which it parses back."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
