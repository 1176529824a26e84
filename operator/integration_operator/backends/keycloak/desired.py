"""The desired messaging user. domain/policies/ownership.py decides who owns an existing user.

EnMasse writes these attributes itself and dereferences them without a check: one user without them makes it return 500
for every list of the namespace (``KeycloakUserApi.java:375-388`` in 0.22.0,
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
    """Identifies a user: realm, pair and name.

    ``inherited`` is the user name of the proof of concept's login, if the pair inherits it.
    """

    realm: str
    pair: Pair
    username: str
    inherited: str | None = None

    @property
    def name(self) -> str:
        """The name in lower case, as Keycloak stores it."""
        return self.username.lower()

    @property
    def namespace(self) -> str:
        """The AddressSpace's namespace."""
        return self.pair.space.namespace

    @property
    def resource_name(self) -> str:
        """The name of the user as a MessagingUser, ``<space>.<user>``."""
        return naming.user_ref(self.pair, self.name).name

    def judge(self, attributes: Attributes) -> Owner:
        """Return the owner of a user with this name and these attributes."""
        return judge_keycloak_user(attributes, self.pair, self.name, inherited=self.inherited).owner


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredUser(UserKey):
    """The desired user with its password and permissions.

    ``authorization`` is that of a MessagingUser. ``release`` is that of EnMasse, None if it is unknown.
    """

    password: str = field(repr=False)
    authorization: Sequence[Mapping[str, Any]]
    address_space_type: Literal["standard", "brokered"]
    release: str | None = None


@dataclass(frozen=True, slots=True)
class EnsuredUser:
    """The result of ``ensure``; ``written`` names the changes."""

    id: str
    created: bool
    written: tuple[str, ...]


def attributes_of(key: UserKey, created: datetime) -> dict[str, list[str]]:
    """Return the attributes of a user: EnMasse's, and the mark of the pair.

    (``KeycloakUserApi.java:92-97`` in 0.22.0, ``:186-195`` in 0.30.3.)
    """
    return {
        RESOURCE_NAME: [key.resource_name],
        RESOURCE_NAMESPACE: [key.namespace],
        AUTHENTICATION_TYPE: [PASSWORD],
        CREATION_TIMESTAMP: [timestamp(created)],
        KEYCLOAK_MARK: [keycloak_mark(key.pair)],
    }


def missing_attributes(attributes: Attributes, key: UserKey, created: datetime) -> dict[str, list[str]]:
    """Return the attributes that the user lacks."""
    return {name: value for name, value in attributes_of(key, created).items() if not attributes.get(name)}


def timestamp(moment: datetime) -> str:
    """Format a time as EnMasse does and parses it: ``yyyy-MM-dd'T'HH:mm:ss.SSS'Z'`` in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
