"""How each side of a pair is delivered: what was asked for, and what the cluster serves.

``spec.delivery`` comes before the settings, and both before ``auto``, which is native if the kind is served and
something reconciles it. Keycloak needs its admin's password, the power over all tenants: ``auto`` chooses it only if
there is no other way, on an EnMasse that keeps its AddressSpaces in ConfigMaps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from integration_operator.api import names
from integration_operator.domain.model.credential import username_of
from integration_operator.domain.model.facts import Facts
from integration_operator.runtime.conditions import Condition

UserDelivery = Literal["native", "aggregated", "keycloak"]
ConnectionDelivery = Literal["native", "rest"]

SOURCES = {
    "crd": "AddressSpaces are watched",
    "aggregated": "AddressSpaces are polled, because EnMasse's aggregated API cannot be watched",
    "configmap": "AddressSpaces are read from ConfigMaps",
}

KEYCLOAK_REFUSED = (
    "spec.delivery.user: keycloak has no effect, because the operator's setting allow_keycloak is false; the "
    "administrator of the cluster must set it"
)


@dataclass(frozen=True, slots=True)
class DeliveryMode:
    """The deliveries of both sides, with reasons for users. ``refused`` says which part of the spec has no effect.

    ``connection`` is None for a binding.
    """

    source: str
    user: UserDelivery
    user_reason: str
    connection: ConnectionDelivery | None
    connection_reason: str
    refused: str = ""

    @property
    def condition(self) -> Condition:
        """The deliveries as the condition DeliveryChosen."""
        message = f"{SOURCES[self.source]}; user: {self.user}, because {self.user_reason}; "
        if self.connection is None:
            message += f"no connection, because {self.connection_reason}"
        else:
            message += f"connection: {self.connection}, because {self.connection_reason}"
        if self.refused:
            return Condition("DeliveryChosen", "False", "KeycloakNotAllowed", f"{self.refused}; {message}")
        connection = f"{self.connection.capitalize()}Connection" if self.connection else ""
        reason = f"{self.user.capitalize()}User{connection}"
        return Condition("DeliveryChosen", "True", reason, message)


def delivery_mode(facts: Facts) -> DeliveryMode:
    """Return the deliveries of a pair's two sides."""
    user, user_reason = _user(facts)
    connection, connection_reason = _connection(facts)
    refused = KEYCLOAK_REFUSED if _is_keycloak_refused(facts) else ""
    return DeliveryMode(facts.cluster.source, user, user_reason, connection, connection_reason, refused)


def _user(facts: Facts) -> tuple[UserDelivery, str]:
    delivery, reason = _desired_user(facts)
    current = _delivery_of_two(facts)
    if current is None or current == delivery:
        return delivery, reason
    return current, f"a second user exists until the rotation ends, then it changes to {delivery}, because {reason}"


def _delivery_of_two(facts: Facts) -> UserDelivery | None:
    """Return the delivery of the user that stays, if there are two. A change of the delivery would add a third."""
    login = facts.login
    if login.rotation.next is not None:
        return _delivery_of(facts, login.rotation.next.username)
    others = facts.remote.users_except({login.username})
    return _delivery_of(facts, login.username) if facts.children.other_users or others else None


def _delivery_of(facts: Facts, username: str) -> UserDelivery | None:
    """Return the delivery of the user with a name, None if there is none."""
    resources = [user for user in (facts.children.user, *facts.children.other_users) if user is not None]
    if any(username_of(user) == username for user in resources):
        return "native"
    remote = facts.remote.user_named(username)
    return remote.delivery if remote.present and remote.delivery != "rest" else None


def _desired_user(facts: Facts) -> tuple[UserDelivery, str]:
    spec = facts.integration.spec.delivery if facts.integration else None
    from_spec = spec.user if spec and not _is_keycloak_refused(facts) else None
    requested, who = _requested(from_spec, facts.settings.user_delivery, "user")
    watched = "MessagingUser" not in facts.cluster.unwatched
    if requested == "keycloak":
        return "keycloak", f"{who} asks for it"
    if requested == "native":
        return "native" if watched else "aggregated", f"{who} asks for MessagingUser"
    if "MessagingUser" in facts.cluster.absent and facts.cluster.source == "configmap":
        return "keycloak", "this release of EnMasse has no MessagingUser"
    if not watched:
        return "aggregated", "EnMasse's aggregated API takes MessagingUsers by plain requests only"
    return "native", "EnMasse reconciles MessagingUsers"


def _connection(facts: Facts) -> tuple[ConnectionDelivery | None, str]:
    if facts.pair.is_binding:
        return None, "spec.consumer is binding"
    spec = facts.integration.spec.delivery if facts.integration else None
    requested, who = _requested(spec.connection if spec else None, facts.settings.connection_delivery, "connection")
    if requested == "native":
        return "native", f"{who} asks for it"
    if requested == "rest":
        return "rest", f"{who} asks for it"
    if facts.syndesis is not None and facts.syndesis.native_connections:
        return "native", f"the Syndesis is annotated {names.CONNECTION_DELIVERY}=native"
    if "Connection" in facts.cluster.absent:
        return "rest", "the cluster does not serve Connection"
    if facts.cluster.placeholder:
        return (
            "rest",
            "Connection is the operator's placeholder, and no annotation says that something reconciles it",
        )
    return "native", "the cluster serves a Connection that is not the operator's placeholder"


def _requested(from_spec: str | None, setting: str, side: str) -> tuple[str, str]:
    """Return which delivery is asked for, and by what."""
    if from_spec not in (None, "auto"):
        return str(from_spec), f"spec.delivery.{side}"
    return setting, "the setting"


def _is_keycloak_refused(facts: Facts) -> bool:
    """Check if the Integration asks for Keycloak, whose admin has power over all tenants, and may not."""
    spec = facts.integration.spec.delivery if facts.integration else None
    asks = spec is not None and spec.user == "keycloak"
    return asks and not facts.settings.allow_keycloak and facts.settings.user_delivery != "keycloak"
