"""A messaging user as it should be. Whose a user is that is there, domain/policies/ownership.py tells.

The attributes are those that EnMasse writes itself and dereferences without a check when it reads a user back: one
user without them makes it answer 500 to every list of the namespace (``KeycloakUserApi.java:375-388`` in 0.22.0,
``:729-744`` in 0.30.3).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.policies.ownership import (
    KEYCLOAK_MARK,
    Attributes,
    Owner,
    judge_keycloak_user,
    keycloak_mark,
)

RESOURCE_NAME = "resourceName"
RESOURCE_NAMESPACE = "resourceNamespace"
AUTHENTICATION_TYPE = "authenticationType"
CREATION_TIMESTAMP = "creationTimestamp"
PASSWORD = "password"  # noqa: S105  a type of authentication


@dataclass(frozen=True, slots=True, kw_only=True)
class UserKey:
    """Which user of which realm, and for which pair."""

    realm: str
    pair: Pair
    username: str

    @property
    def name(self) -> str:
        """The name as Keycloak keeps it, in lower case."""
        return self.username.lower()

    @property
    def namespace(self) -> str:
        """The AddressSpace's namespace."""
        return self.pair.space.namespace

    @property
    def resource_name(self) -> str:
        """The name that the user has as a MessagingUser, ``<space>.<user>``."""
        return naming.user_ref(self.pair, self.name).name

    def judge(self, attributes: Attributes) -> Owner:
        """Return whose a user of this name is that has these attributes."""
        return judge_keycloak_user(attributes, self.pair, self.name).owner


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredUser(UserKey):
    """A user with a password and what it may do.

    ``authorization`` is a MessagingUser's. ``release`` is EnMasse's, None if it is not known.
    """

    password: str = field(repr=False)
    authorization: Sequence[Mapping[str, Any]]
    address_space_type: Literal["standard", "brokered"]
    release: str | None = None


@dataclass(frozen=True, slots=True)
class EnsuredUser:
    """A user that is as it was wanted; ``written`` names what had to be changed for that."""

    id: str
    created: bool
    written: tuple[str, ...]


def attributes_of(key: UserKey, created: datetime) -> dict[str, list[str]]:
    """Return what a user of ours carries: EnMasse's (``KeycloakUserApi.java:92-97`` in 0.22.0, ``:186-195`` in 0.30.3),
    and the mark that tells the pair."""
    return {
        RESOURCE_NAME: [key.resource_name],
        RESOURCE_NAMESPACE: [key.namespace],
        AUTHENTICATION_TYPE: [PASSWORD],
        CREATION_TIMESTAMP: [timestamp(created)],
        KEYCLOAK_MARK: [keycloak_mark(key.pair)],
    }


def lost_attributes(attributes: Attributes, key: UserKey, created: datetime) -> dict[str, list[str]]:
    """Those of ``attributes_of`` that are not there."""
    return {name: value for name, value in attributes_of(key, created).items() if not attributes.get(name)}


def timestamp(moment: datetime) -> str:
    """EnMasse's format, ``yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`` in UTC, which it parses back."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
