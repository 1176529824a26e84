"""The stores of the cache: what is kept of each object, and the indexes by which it is looked up.

Every look-up of a reconcile uses an index. One scan over all Integrations would make the whole quadratic: 5,000 pairs
took 95 s that way (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple, get_args

from integration_operator import pruning
from integration_operator.api import names
from integration_operator.domain.model.conditions import state_of
from integration_operator.domain.model.credential import decode, username_of
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.platforms import AddressSpace, Syndesis
from integration_operator.domain.model.rotation import parse_time
from integration_operator.domain.policies.delivery_mode import ConnectionDelivery, UserDelivery
from integration_operator.domain.policies.integrations import parse_integration, specified_pair
from integration_operator.domain.policies.ownership import named_pairs
from integration_operator.platforms.address_space import authentication_type
from integration_operator.platforms.syndesis import syndesis
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.store import Store

Document = dict[str, Any]

USER_DELIVERIES, CONNECTION_DELIVERIES = get_args(UserDelivery), get_args(ConnectionDelivery)
NO_DELIVERY = "none"
"""In place of the delivery of a side that is not delivered."""


class KindDefinition(NamedTuple):
    """A CRD or APIService: enough to know that a kind appears, and whether it is the operator's own placeholder.

    The version makes each change of it (Established, Available) a change of the stored object.
    """

    name: str
    version: str
    placeholder: bool


def address_spaces(parse: Callable[[Document], AddressSpace]) -> Store[AddressSpace]:
    """Return a store of AddressSpaces."""
    return Store(
        parse,
        {
            "namespace": lambda s: (s.ref.namespace,),
            "name": lambda s: (s.ref.name,),
            "shared": lambda s: ("shared",) if s.allowed_namespaces else (),
            "creator": lambda s: (s.created_by,) if s.created_by else (),
            "authentication": lambda s: (s.authentication,) if s.authentication else (),
        },
    )


def syndesises() -> Store[Syndesis]:
    """Return a store of Syndesis instances."""
    return Store(
        syndesis,
        {
            "namespace": lambda s: (s.ref.namespace,),
            "creator": lambda s: (s.created_by,) if s.created_by else (),
        },
    )


def integrations() -> Store[Integration]:
    """Return a store of Integrations.

    ``pair`` has those whose spec names the pair in full, ``unresolved`` the others by their namespace. ``state``,
    ``deliveries`` and ``rotation due`` are for metrics: a scrape reads the keys, and no object.
    """
    return Store(
        lambda document: parse_integration(pruning.integration(document)),
        {
            "pair": _pair_of_spec,
            "unresolved": lambda i: () if specified_pair(i) else (i.ref.namespace,),
            "space": _space_of_spec,
            "namespace": lambda i: (i.ref.namespace,),
            "secret": _provided_secret,
            "offered from elsewhere": _offered_from_elsewhere,
            "state": lambda i: (state_of(i.status, deleting=i.live.deleting),),
            "deliveries": _deliveries,
            "rotation due": _rotation_due,
        },
    )


def connections() -> Store[LiveObject]:
    """Return a store of Connections, by the pairs that they name: which to reconcile, not whose they are."""
    return Store(
        lambda document: LiveObject.of(pruning.connection(document), names.FIELD_MANAGER), {"pair": named_pairs}
    )


def secrets() -> Store[LiveObject]:
    """Return a store of Secrets; ``rotated on`` has those with a generated credential, by day."""
    return Store(
        lambda document: LiveObject.of(pruning.secret(document), names.FIELD_MANAGER),
        {"pair": named_pairs, "rotated on": _day_of_credential},
    )


def messaging_users() -> Store[LiveObject]:
    """Return a store of MessagingUsers."""
    return Store(
        lambda document: LiveObject.of(pruning.messaging_user(document), names.FIELD_MANAGER),
        {"pair": named_pairs, "username": _username},
    )


def authentication_services() -> Store[tuple[Ref, str]]:
    """Return a store of the types of AuthenticationServices."""
    return Store(lambda document: (_ref(document), authentication_type(document)))


def namespaces() -> Store[tuple[str, bool]]:
    """Return a store of namespaces: the name, and whether it is being deleted."""
    return Store(lambda document: (document["metadata"]["name"], "deletionTimestamp" in document["metadata"]))


def kind_definitions() -> Store[KindDefinition]:
    """Return a store of CRDs or APIServices."""

    def parse(document: Document) -> KindDefinition:
        metadata = document["metadata"]
        placeholder = (metadata.get("labels") or {}).get(names.PLACEHOLDER_LABEL) == "true"
        return KindDefinition(metadata["name"], str(metadata.get("resourceVersion", "")), placeholder)

    return Store(parse)


def _pair_of_spec(integration: Integration) -> Iterable[Hashable]:
    pair = specified_pair(integration)
    return (pair,) if pair else ()


def _space_of_spec(integration: Integration) -> Iterable[Hashable]:
    reference = integration.spec.address_space_ref
    return (Ref(reference.namespace, reference.name),) if reference else ()


def _provided_secret(integration: Integration) -> Iterable[Hashable]:
    """Index Integrations by the Secret that a user provides."""
    reference = integration.spec.credentials_secret_ref
    return (Ref(integration.ref.namespace, reference.name),) if reference else ()


def _offered_from_elsewhere(integration: Integration) -> Iterable[Hashable]:
    """Index unanswered offers by their namespace, if the AddressSpace is in another one."""
    reference = integration.spec.address_space_ref
    elsewhere = reference is not None and reference.namespace != integration.ref.namespace
    return (integration.ref.namespace,) if elsewhere and integration.unanswered else ()


def _deliveries(integration: Integration) -> Iterable[Hashable]:
    """Index Integrations by the deliveries of user and connection in the status, which a tenant may write."""
    user, connection = (
        delivery if delivery in known else NO_DELIVERY
        for side, known in (("user", USER_DELIVERIES), ("connection", CONNECTION_DELIVERIES))
        for delivery in (integration.delivered_side(side).get("delivery"),)
    )
    return ((user, connection),) if (user, connection) != (NO_DELIVERY, NO_DELIVERY) else ()


def _rotation_due(integration: Integration) -> Iterable[Hashable]:
    """Index Integrations that are reconciled by the time in the status at which ``spec.rotation.every`` has passed."""
    rotation = integration.status.get("rotation")
    at = parse_time(rotation.get("nextAt")) if isinstance(rotation, dict) else None
    reconciled = integration.enabled and not integration.spec.suspend and not integration.live.deleting
    return (at,) if at is not None and reconciled and integration.spec.rotation is not None else ()


def _day_of_credential(live: LiveObject) -> Iterable[Hashable]:
    """Index Secrets with a password that our field manager applied by the UTC day of the last rotation or creation."""
    if not live.owns("data", names.PASSWORD_KEY):
        return ()
    rotated = decode((live.document.get("data") or {}).get(names.ROTATED_AT_KEY))
    since = parse_time(rotated) or parse_time(live.document["metadata"].get("creationTimestamp"))
    return (since.date(),) if since is not None else ()


def _username(live: LiveObject) -> Iterable[Hashable]:
    """Index MessagingUsers by namespace, AddressSpace and user name: two with the same would share one login."""
    space, _, _ = live.ref.name.partition(".")
    username = username_of(live)
    return ((live.ref.namespace, space, username),) if username is not None else ()


def _ref(document: Document) -> Ref:
    metadata = document["metadata"]
    return Ref(metadata.get("namespace", ""), metadata["name"])
