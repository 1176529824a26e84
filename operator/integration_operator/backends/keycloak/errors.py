"""What goes wrong with a Keycloak, each as a type that says what to do.

A message names hosts, realms, users and HTTP statuses. It never quotes an answer: what a broken server or a proxy
sends back may hold what was sent to it.
"""

from __future__ import annotations

from integration_operator.runtime.errors import Failure


class KeycloakFailure(Failure):
    """Something that was asked of Keycloak was not done; the reason is the name of the type."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(type(self).__name__, message, retry_after=retry_after)


class KeycloakUnavailable(KeycloakFailure):
    """No answer, 5xx, or an answer that Keycloak does not give: another program, or half of one."""


class AdminRefused(KeycloakFailure):
    """The admin's credentials are wrong, or do not give the power that is needed.

    Asked again rarely: only an administrator repairs it, and each try counts as a failed log-in of the admin.
    """

    def __init__(self, message: str, *, retry_after: float | None = 60.0) -> None:
        super().__init__(message, retry_after=retry_after)


class AccessMissing(KeycloakFailure):
    """What EnMasse keeps about its Keycloak, address or credentials, is not there or is incomplete."""


class RealmMissing(KeycloakFailure):
    """The realm is not there. EnMasse may make it long after the AddressSpace, so ask again."""


class RealmForeign(KeycloakFailure):
    """The realm is not that of the AddressSpace: a tenant can write its name, and we have power over all realms."""

    stalls = True


class UserForeign(KeycloakFailure):
    """A user of that name is there and was not made for this pair."""

    stalls = True

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.reason = "NameTaken"


class AttributesDropped(KeycloakFailure):
    """The realm's user profile drops the attributes without which EnMasse cannot read a user."""

    stalls = True


class KeycloakRefused(KeycloakFailure):
    """Keycloak understood the request and refuses it: a name or a password that the realm's rules do not allow."""

    stalls = True


class KeycloakChanged(KeycloakFailure):
    """Another client changed the same thing between two of our requests; the next attempt sees it."""

    quiet = True
