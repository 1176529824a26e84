"""Errors of a Keycloak, as types that carry their policy.

A message names hosts, realms, users and HTTP statuses. It never quotes an answer: a broken server or a proxy may return
what was sent to it.
"""

from __future__ import annotations

from integration_operator.runtime.errors import Failure


class KeycloakFailure(Failure):
    """A request to Keycloak failed; the reason is the name of the type."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(type(self).__name__, message, retry_after=retry_after)


class KeycloakUnavailable(KeycloakFailure):
    """No answer, 5xx, or not an answer of Keycloak: another program, a truncated document."""


class AdminRefused(KeycloakFailure):
    """The credentials of the admin are wrong or lack permissions.

    Retried rarely: only an administrator can fix it, and each retry counts as a failed login of the admin.
    """

    def __init__(self, message: str, *, retry_after: float | None = 60.0) -> None:
        super().__init__(message, retry_after=retry_after)


class AccessMissing(KeycloakFailure):
    """EnMasse's objects with the address or credentials of Keycloak are missing or incomplete."""


class RealmMissing(KeycloakFailure):
    """The realm does not exist. EnMasse may create it long after the AddressSpace, so retry."""


class RealmForeign(KeycloakFailure):
    """The realm is not that of the AddressSpace: a tenant can write its name, and the admin can change any realm."""

    stalls = True


class UserForeign(KeycloakFailure):
    """A user of this name exists and was not created for this pair."""

    stalls = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.reason = "NameTaken"


class AttributesDropped(KeycloakFailure):
    """The realm's user profile drops the attributes without which EnMasse cannot read a user."""

    stalls = True


class KeycloakRefused(KeycloakFailure):
    """Keycloak refuses the request: the rules of the realm do not allow a name or a password."""

    stalls = True


class KeycloakChanged(KeycloakFailure):
    """Another client changed the same object between two requests; the next attempt sees it."""

    quiet = True
