"""How each side of a pair is delivered, and why: from what was asked for, and what the cluster serves.

``spec.delivery`` goes before the settings, and both before ``auto``, which takes the native way if the kind is served
and something reconciles it. Keycloak needs its admin's password, the power over all tenants: it is chosen by itself
only if there is no other way, on an EnMasse that keeps its AddressSpaces in ConfigMaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from integration_operator.api import names
from integration_operator.domain.conditions import Finding
from integration_operator.domain.facts import Facts

UserDelivery = Literal["native", "aggregated", "keycloak"]
ConnectionDelivery = Literal["native", "rest"]

SOURCES = {
    "crd": "AddressSpaces are watched",
    "aggregated": "AddressSpaces are polled, because EnMasse's aggregated API cannot be watched",
    "configmap": "AddressSpaces are read from ConfigMaps",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What was chosen for both sides; the reasons are for users."""

    source: str
    user: UserDelivery
    user_reason: str
    connection: ConnectionDelivery
    connection_reason: str
    refused: str = ""

    @property
    def over_rest(self) -> bool:
        """True if any side is delivered out of the garbage collector's reach."""
        return self.user != "native" or self.connection != "native"

    @property
    def finding(self) -> Finding:
        """The choice as a condition."""
        if self.refused:
            return Finding("DeliveryChosen", "False", "KeycloakNotAllowed", f"{self.refused}; {self._message}")
        reason = f"{self.user.capitalize()}User{self.connection.capitalize()}Connection"
        return Finding("DeliveryChosen", "True", reason, self._message)

    @property
    def _message(self) -> str:
        return (
            f"{SOURCES[self.source]}; user: {self.user}, because {self.user_reason}; "
            f"connection: {self.connection}, because {self.connection_reason}"
        )


def choose(facts: Facts) -> Choice:
    """Choose the deliveries of a pair's two sides."""
    user, user_reason = _user(facts)
    connection, connection_reason = _connection(facts)
    refused = REFUSED if _keycloak_is_refused(facts) else ""
    return Choice(facts.kinds.source, user, user_reason, connection, connection_reason, refused)


REFUSED = (
    "spec.delivery.user: keycloak has no effect, because the operator's setting allow_keycloak is false; the "
    "administrator of the cluster must set it"
)


def _keycloak_is_refused(facts: Facts) -> bool:
    """Check if the Integration asks for Keycloak, whose admin has power over all tenants, and may not."""
    spec = facts.integration.spec.delivery if facts.integration else None
    return bool(spec and spec.user == "keycloak" and not facts.keycloak_allowed and facts.asked["user"] != "keycloak")


def _user(facts: Facts) -> tuple[UserDelivery, str]:
    asked, who = _asked(facts, "user")
    watched = "MessagingUser" not in facts.kinds.unwatched
    native: UserDelivery = "native" if watched else "aggregated"
    if asked == "keycloak":
        return "keycloak", f"{who} asks for it"
    if asked == "native":
        return native, f"{who} asks for MessagingUser"
    if "MessagingUser" in facts.kinds.absent and facts.kinds.source == "configmap":
        return "keycloak", "this release of EnMasse has no MessagingUser"
    if not watched:
        return "aggregated", "EnMasse's aggregated API takes MessagingUsers by plain requests only"
    return "native", "EnMasse reconciles MessagingUsers"


def _connection(facts: Facts) -> tuple[ConnectionDelivery, str]:
    asked, who = _asked(facts, "connection")
    if asked == "native":
        return "native", f"{who} asks for it"
    if asked == "rest":
        return "rest", f"{who} asks for it"
    if facts.syndesis is not None and facts.syndesis.native_connections:
        return "native", f"the Syndesis is annotated {names.CONNECTION_DELIVERY}=native"
    if "Connection" in facts.kinds.absent:
        return "rest", "the cluster does not serve Connection"
    if facts.kinds.placeholder:
        return "rest", "the kind Connection is the operator's own placeholder, and nothing is said to reconcile it"
    return "native", "the cluster serves a Connection that is not the operator's placeholder"


def _asked(facts: Facts, side: Literal["user", "connection"]) -> tuple[str, str]:
    """Return what is asked for one side, and who asks."""
    spec = facts.integration.spec.delivery if facts.integration else None
    asked = getattr(spec, side) if spec else None
    refused = side == "user" and _keycloak_is_refused(facts)
    if asked not in (None, "auto") and not refused:
        return asked, f"spec.delivery.{side}"
    return facts.asked[side], "the setting"
