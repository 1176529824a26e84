"""Ownership: whose an object is. No other module reads labels, annotations or field managers to decide that.

The operator has permissions that no tenant has, so that a mistake here changes or deletes a foreign object. The rules
(docs/ownership.md):

* A label or an annotation alone proves nothing: users copy them, tenants forge them. Only fields that our field
  manager applied last count (``managedFields``).
* A *generated* name identifies the pair. An object with it is this pair's if our manager applied it, or if it names
  this pair and has lost its managers (a backup tool restored it).
* The user name that the proof of concept gave identifies an AddressSpace, not a pair. It counts as a generated name
  only for the pair that *inherits* that login (policies/login.py). For every other pair it is a chosen one.
* A user name that a user *chose* proves nothing. An object with it is this pair's only if our manager applied the
  fields that name this pair.
* An object of which this is unknown is foreign. Foreign objects are never changed and never deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import ConsumerKind, Pair
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref

Document = dict[str, Any]


class Owner(Enum):
    """The owner of an object, from the view of one pair."""

    THIS_PAIR = "this pair"
    RESTORED = "this pair, restored without its field managers"
    CONVERTED = "this pair, created over REST and converted to a resource by EnMasse"
    OTHER_PAIR = "another pair"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Ownership:
    """The owner of an object, and the evidence."""

    owner: Owner
    why: str

    @property
    def ours(self) -> bool:
        """True if the object may be changed and deleted for this pair."""
        return self.owner in (Owner.THIS_PAIR, Owner.RESTORED, Owner.CONVERTED)


CONSUMER_ANNOTATIONS: Mapping[ConsumerKind, str] = {
    "Syndesis": names.SYNDESIS_ANNOTATION,
    "Integration": names.BINDING_ANNOTATION,
}
"""The annotation that names the consumer of a pair, by its kind."""


def named_pairs(live: LiveObject) -> tuple[Pair, ...]:
    """Return the pairs that an object's annotations name, whoever wrote them. It proves nothing.

    There are two only if the annotations name consumers of both kinds.
    """
    pairs = (_pair_named_by(live, kind) for kind in CONSUMER_ANNOTATIONS)
    return tuple(pair for pair in pairs if pair is not None)


def applied_pair(live: LiveObject) -> Pair | None:
    """Return the pair that an object names in annotations which our field manager applied last."""
    for kind, annotation in CONSUMER_ANNOTATIONS.items():
        if all(live.owns("metadata", "annotations", key) for key in (names.ADDRESS_SPACE_ANNOTATION, annotation)):
            return _pair_named_by(live, kind)
    return None


def _pair_named_by(live: LiveObject, kind: ConsumerKind) -> Pair | None:
    space = Ref.parse(live.annotations.get(names.ADDRESS_SPACE_ANNOTATION, ""))
    consumer = Ref.parse(live.annotations.get(CONSUMER_ANNOTATIONS[kind], ""))
    return Pair(space, consumer, kind) if space and consumer else None


def judge_secret(live: LiveObject, pair: Pair) -> Ownership:
    """Judge a Secret with the pair's generated name."""
    return _judge_generated(live, pair)


def judge_connection(live: LiveObject, pair: Pair) -> Ownership:
    """Judge a Connection with the pair's generated name."""
    return _judge_generated(live, pair)


def judge_user(
    live: LiveObject, pair: Pair, username: str, *, inherited: str | None = None, made_over_rest: bool = False
) -> Ownership:
    """Judge a MessagingUser with the user name of the pair's login.

    ``inherited`` is the user name of the proof of concept's login, if the pair inherits it. ``made_over_rest`` means
    that the login was created over REST under this name. EnMasse 0.31 converts such a user to a MessagingUser without a
    password (upgrader.go:204-293 @0.33.1); one with a password is foreign.
    """
    if username not in naming.usernames(pair) and username != inherited:
        return _judge_chosen(live, pair)
    judged = _judge_generated(live, pair)
    spec = live.document.get("spec")
    authentication = spec.get("authentication") if isinstance(spec, dict) else None
    without_password = not (isinstance(authentication, dict) and authentication.get("password"))
    if judged.owner is Owner.FOREIGN and made_over_rest and without_password and not named_pairs(live):
        return Ownership(Owner.CONVERTED, "it has this pair's login and no password, as after EnMasse's upgrade")
    return judged


def is_other_user(live: LiveObject, pair: Pair) -> bool:
    """Check if a MessagingUser was created for this pair, under whatever user name.

    Only fields that our manager applied count: a copy under another name does not match its own user name.
    """
    spec = live.document.get("spec")
    username = spec.get("username") if isinstance(spec, dict) else None
    return (
        isinstance(username, str)
        and live.ref == naming.user_ref(pair, username)
        and live.owns("spec", "username")
        and applied_pair(live) == pair
    )


def is_generated_secret(live: LiveObject) -> bool:
    """Check if the operator generated a Secret, for any pair: it is never a credential that a user provides."""
    return live.applied or any(live.ref == naming.secret_ref(pair) for pair in named_pairs(live))


def is_released(live: LiveObject, space: Ref) -> bool:
    """Check if a user who may write a Secret has released it for an AddressSpace of another namespace.

    Its password is copied there, and others may read it. The permission to write Integrations must not suffice.
    """
    named = live.annotations.get(names.ADDRESS_SPACE_ANNOTATION, "").split(",")
    return any(Ref.parse(name.strip()) == space for name in named)


def is_retained(live: LiveObject) -> bool:
    """Check if an object was created to outlive its Integration (``deletionPolicy: Retain``)."""
    return live.annotations.get(names.DELETION_POLICY) == "Retain"


def is_offer(live: LiveObject) -> bool:
    """Check if the operator offered an Integration: our manager applied its label."""
    return live.owns("metadata", "labels", names.MANAGED_BY_LABEL) and live.labels.get(names.MANAGED_BY_LABEL) == (
        names.FIELD_MANAGER
    )


def is_unanswered_offer(live: LiveObject) -> bool:
    """Check if an Integration is an offer whose spec only the operator has written."""
    return is_offer(live) and not live.spec_has_other_managers


def judge_aggregated_user(pair: Pair, username: str, *, inherited: str | None = None) -> Ownership:
    """Judge a user on EnMasse's aggregated API, which shows only the name (0.22 to 0.30 drop all metadata)."""
    if username in naming.usernames(pair):
        return Ownership(Owner.THIS_PAIR, "its name was generated for this pair")
    if username == inherited:
        return Ownership(Owner.THIS_PAIR, "the proof of concept created it, and this pair inherits it")
    return Ownership(Owner.FOREIGN, "EnMasse up to 0.30 does not tell who made a user")


Attributes = Mapping[str, Sequence[str]]

KEYCLOAK_MARK = "integrationOperatorPair"
"""Attribute of a Keycloak user that names its pair; at most 255 characters in all releases of Keycloak."""

ENMASSE_ATTRIBUTES = frozenset(
    {
        "resourceName",
        "resourceNamespace",
        "authenticationType",
        "creationTimestamp",
        "fromCrd",  # since 0.31; the upgrade to it passes over users that have it
        "ownerReferences",  # since 0.27
        "annotations",  # since 0.30
    }
)
"""Attributes that EnMasse sets on its users (KeycloakUserApi.java:92-97 @0.22.0, :186-195 @0.30.3; client.go:145-164
@0.33.1)."""


def keycloak_mark(pair: Pair) -> str:
    """Return the value of ``KEYCLOAK_MARK`` for a pair."""
    return naming.integration_label(pair)


def judge_keycloak_user(
    attributes: Attributes, pair: Pair, username: str, *, inherited: str | None = None
) -> Ownership:
    """Judge a Keycloak user with the user name of the pair's login.

    A user without attributes of EnMasse is the proof of concept's if it has the name that it gave, and this pair's if
    the pair inherits it. A user that has lost some of its attributes is foreign.
    """
    mark = list(attributes.get(KEYCLOAK_MARK) or ())
    if mark and mark != [keycloak_mark(pair)]:
        return Ownership(Owner.OTHER_PAIR, "its mark names another pair")
    if not any(attributes.get(name) for name in ENMASSE_ATTRIBUTES):
        if username == inherited and not mark:
            return Ownership(Owner.RESTORED, "the proof of concept created it, and this pair inherits it")
        return Ownership(Owner.FOREIGN, "it has no attributes of EnMasse's")
    of_resource = (
        list(attributes.get("resourceName") or ()) == [naming.user_ref(pair, username).name]
        and list(attributes.get("resourceNamespace") or ()) == [pair.space.namespace]
        and list(attributes.get("authenticationType") or ()) in ([], ["password"])  # else a service account
    )
    if not of_resource:
        return Ownership(Owner.FOREIGN, "its attributes are those of another user")
    if mark:
        return Ownership(Owner.THIS_PAIR, "its mark names this pair")
    if username in naming.usernames(pair):
        return Ownership(Owner.THIS_PAIR, "its name was generated for this pair")
    return Ownership(Owner.FOREIGN, "nothing shows that it was created for this pair")


@dataclass(frozen=True, slots=True)
class ConnectionEvidence:
    """The evidence that a connection on a Syndesis server was created for one pair.

    ``marker`` names the pair in the connection's metadata. ``generated`` is the id that it is created with, ``others``
    are further ids that follow from the pair: releases before 1.5 keep no metadata (ConnectionBase.java:33 @1.5).
    ``noted`` is the id in the Integration's status, which a tenant can write: it counts only for a connection that logs
    in with one of the pair's ``usernames``.
    """

    marker: str
    generated: str
    others: frozenset[str] = frozenset()
    noted: str | None = None
    usernames: frozenset[str] = frozenset()

    @classmethod
    def of(cls, pair: Pair, noted: str | None, login: str, *, adopted_id: str | None = None) -> ConnectionEvidence:
        """Return the evidence for a pair; ``adopted_id`` is the id in the status of the pair's own Connection."""
        generated, others = naming.connection_id(pair), {naming.controller_connection_id(naming.connection_ref(pair))}
        if adopted_id:
            others.add(adopted_id)
        usernames = frozenset({*naming.usernames(pair), naming.proof_of_concept_name(pair.space), login})
        return cls(naming.integration_label(pair), generated, frozenset(others), noted, usernames)


def judge_syndesis_connection(connection: Document, evidence: ConnectionEvidence) -> Ownership:
    """Judge a connection on a Syndesis server."""
    if connection.get("id") in (evidence.generated, *evidence.others):
        return Ownership(Owner.THIS_PAIR, "its id was generated for this pair")
    metadata = connection.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    mark = metadata.get("integration")
    if metadata.get("managed-by") == names.FIELD_MANAGER and mark:
        if mark == evidence.marker:
            return Ownership(Owner.THIS_PAIR, "its metadata names this pair")
        return Ownership(Owner.OTHER_PAIR, "its metadata names another pair")
    properties = connection.get("configuredProperties")
    username = properties.get("username") if isinstance(properties, dict) else None
    if evidence.noted is not None and connection.get("id") == evidence.noted and username in evidence.usernames:
        return Ownership(Owner.RESTORED, "the status has its id, and it logs in as this pair's user")
    return Ownership(Owner.FOREIGN, "neither its metadata nor its id shows that it was created for this pair")


def _judge_generated(live: LiveObject, pair: Pair) -> Ownership:
    """Judge an object with a name that identifies the pair."""
    applied = applied_pair(live)
    if applied is not None and applied != pair:
        return Ownership(Owner.OTHER_PAIR, f"our field manager applied it for {applied}")
    if live.applied:
        return Ownership(Owner.THIS_PAIR, "our field manager applied it under this pair's name")
    if pair in named_pairs(live):
        return Ownership(Owner.RESTORED, "it has this pair's name and annotations, and no fields of our field manager")
    return Ownership(Owner.FOREIGN, "our field manager did not apply it")


def _judge_chosen(live: LiveObject, pair: Pair) -> Ownership:
    """Judge an object with a name that a user chose."""
    applied = applied_pair(live)
    if applied == pair:
        return Ownership(Owner.THIS_PAIR, "our field manager applied it for this pair")
    if applied is not None:
        return Ownership(Owner.OTHER_PAIR, f"our field manager applied it for {applied}")
    return Ownership(Owner.FOREIGN, "our field manager did not apply it for this pair")
