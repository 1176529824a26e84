"""The facts of a pair: all that its plan may depend on, gathered from the cache without a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from integration_operator.domain.model.actions import ChildKind
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace, Binding, Consumer, Syndesis
from integration_operator.domain.model.remote_state import RemoteSides
from integration_operator.domain.model.rotation import RotationRecord
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref

SpaceSource = Literal["crd", "aggregated", "configmap"]

SOURCE_KINDS = ("AddressSpace", "Syndesis", "Integration")
EPOCH = datetime.fromtimestamp(0, UTC)
CHILD_KINDS = ("Secret", "MessagingUser", "Connection")


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What is known of the cluster as a whole.

    ``api_versions`` has the ``apiVersion`` of each kind that is served. An ``absent`` kind is not served, which is not
    an outage. A kind that is ``out_of_sync`` has an outage: nothing may be concluded from what its store lacks. An
    ``unwatched`` kind is served, and only requests show its objects. ``source`` is how AddressSpaces are read;
    ``upgrading`` means that EnMasse serves them as a kind, and they are still read in the earlier way. ``placeholder``
    means that the kind Connection is the operator's own.
    """

    api_versions: Mapping[str, str]
    absent: frozenset[str] = frozenset()
    out_of_sync: frozenset[str] = frozenset()
    unwatched: frozenset[str] = frozenset()
    source: SpaceSource = "crd"
    upgrading: bool = False
    placeholder: bool = True

    def is_known(self, kind: str) -> bool:
        """Check if what the store of a kind lacks does not exist."""
        return kind not in self.absent | self.out_of_sync


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """The settings that plans depend on.

    ``user_delivery`` and ``connection_delivery`` apply unless an Integration says otherwise. ``allow_keycloak`` lets
    an Integration ask for a user in Keycloak. ``uninstall`` says what becomes of everything when the operator is
    uninstalled: it is deleted, or it outlives the operator.
    """

    rules: tuple[str, ...] = ()
    enable_new: bool = False
    user_delivery: str = "auto"
    connection_delivery: str = "auto"
    allow_keycloak: bool = True
    uninstall: Literal["delete", "retain"] | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """What keeps the operator from acting on a pair, or makes it act.

    ``mass_deletion`` is True while the guard holds the pair, ``offers_exhausted`` if the receiving namespace has as
    many offers as it may have, ``offer_withdrawn`` if a user deleted the Integration and the pair stayed, ``overdue``
    if the deletion of the Integration has been tried for too long.
    """

    mass_deletion: bool = False
    offers_exhausted: bool = False
    offer_withdrawn: bool = False
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class ForeignObject:
    """An object that has the name of a child that the pair needs, and is not the pair's; ``why`` is the evidence."""

    kind: ChildKind
    ref: Ref
    why: str


@dataclass(frozen=True, slots=True)
class Children:
    """The pair's own objects (policies/ownership.py).

    ``other_users`` were created for the pair under other user names than its login has. ``foreign`` are objects of
    other owners under the names that the pair needs.
    """

    secret: LiveObject | None = None
    user: LiveObject | None = None
    connection: LiveObject | None = None
    other_users: tuple[LiveObject, ...] = ()
    foreign: tuple[ForeignObject, ...] = ()

    def foreign_object(self, kind: ChildKind) -> ForeignObject | None:
        """Return the foreign object that has the name which the pair needs for a kind."""
        return next((foreign for foreign in self.foreign if foreign.kind == kind), None)


@dataclass(frozen=True, slots=True)
class Login:
    """The credential that the pair's connection logs in with.

    ``username`` is its user name. ``provided`` is the Secret that ``spec.credentialsSecretRef`` names;
    ``username_taken`` means that another MessagingUser of the AddressSpace has the user name in it. ``new_password`` is
    a fresh password, used for a rotation, or if no copy of the pair's password is left. ``rotation`` is what the pair's
    own Secret records; ``next_taken`` is the foreign MessagingUser that has the name of the next user. ``inherited`` is
    the user name of the proof of concept's login, if the pair inherits it.
    """

    username: str
    new_password: str = field(repr=False)
    provided: LiveObject | None = None
    username_taken: bool = False
    rotation: RotationRecord = field(default_factory=RotationRecord)
    next_taken: ForeignObject | None = None
    inherited: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one pair.

    ``pairing`` says whether the pair is allowed. ``integration`` is the one that is used, ``duplicates`` are the others
    for the same pair. ``remote`` is what is known of state over REST. ``terminating`` are the namespaces of the pair
    that are being deleted, ``unwatched`` those whose objects the operator does not read. ``now`` is the time, in UTC.
    """

    pair: Pair
    cluster: ClusterFacts
    settings: PlanSettings
    login: Login
    space: AddressSpace | None = None
    authentication_type: str | None = None
    syndesis: Syndesis | None = None
    pairing: Check = field(default_factory=lambda: Check.failure("Unknown", ""))
    integration: Integration | None = None
    duplicates: tuple[Integration, ...] = ()
    children: Children = field(default_factory=Children)
    remote: RemoteSides = field(default_factory=RemoteSides)
    holds: Holds = field(default_factory=Holds)
    terminating: frozenset[str] = frozenset()
    unwatched: frozenset[str] = frozenset()
    now: datetime = EPOCH

    @property
    def consumer(self) -> Consumer | None:
        """The consumer. That of a binding is known from the pair, whether its Integration exists or not."""
        return Binding(self.pair.consumer) if self.pair.is_binding else self.syndesis

    @property
    def needed_kinds(self) -> frozenset[str]:
        """The kinds that the decision on a pair depends on. A binding does without Syndesis."""
        of_syndesis = {"Syndesis", "Connection"} if self.pair.is_binding else frozenset()
        return frozenset({*SOURCE_KINDS, *CHILD_KINDS, "Namespace"} - of_syndesis)

    @property
    def deleting(self) -> bool:
        """True if an object of the pair is being deleted, or its state over REST is."""
        own = self.children
        objects = (own.secret, own.user, own.connection, *own.other_users)
        live = self.integration.live if self.integration is not None else None
        return any(object_ is not None and object_.deleting for object_ in (*objects, live))


@dataclass(frozen=True, slots=True)
class DeliverablePair:
    """A pair for which everything is there that its delivery needs. ``syndesis`` is None for a binding."""

    facts: Facts
    pair: Pair
    space: AddressSpace
    syndesis: Syndesis | None
    integration: Integration

    @property
    def children(self) -> Children:
        """The pair's own objects."""
        return self.facts.children

    @property
    def remote(self) -> RemoteSides:
        """What is known of state over REST."""
        return self.facts.remote

    @property
    def cluster(self) -> ClusterFacts:
        """What is known of the cluster."""
        return self.facts.cluster

    @property
    def retain(self) -> bool:
        """True if the children outlive the Integration (``deletionPolicy: Retain``)."""
        return self.integration.spec.deletion_policy == "Retain" or self.facts.settings.uninstall == "retain"
