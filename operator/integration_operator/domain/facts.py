"""Everything a decision about one pair may look at, gathered from the stores without a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from integration_operator.domain import naming
from integration_operator.domain.actions import Child
from integration_operator.domain.integration import Integration
from integration_operator.domain.live import Live
from integration_operator.domain.ownership import Ownership
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.platforms import AddressSpace, Syndesis
from integration_operator.domain.remote import RemoteState
from integration_operator.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Kinds:
    """What is known of the kinds: where each is served (``apiVersion``), and which of them are in sync.

    A kind that is not served is absent, which is not an outage; one that is neither in sync nor absent is an outage,
    and nothing may be concluded from what its store does not hold. One that is unwatched is served, and shows nothing
    by itself. ``source`` is how AddressSpaces are read; ``upgrading`` is True where EnMasse has brought the kind and
    they are read in the earlier way still. ``placeholder`` is True where the kind Connection is ours.
    """

    api_versions: dict[str, str]
    absent: frozenset[str] = frozenset()
    out_of_sync: frozenset[str] = frozenset()
    unwatched: frozenset[str] = frozenset()
    source: Literal["crd", "aggregated", "configmap"] = "crd"
    upgrading: bool = False
    placeholder: bool = True


@dataclass(frozen=True, slots=True)
class NameTaken:
    """An object that is not this pair's has the name of one that the pair needs."""

    kind: Child
    ref: Ref
    ownership: Ownership


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one pair.

    ``integration`` is the one that counts, ``duplicates`` are the others for the same pair. ``secret``, ``user`` and
    ``connection`` are this pair's own (domain/ownership.py); ``taken`` are the foreign objects under their names.
    ``former_users`` were made for this pair under an earlier name. ``provided`` is the Secret that
    ``credentialsSecretRef`` names. ``held`` is True while the guard against mass deletion holds this pair,
    ``withdrawn`` if its Integration was deleted while the pair stayed. ``candidate`` is a fresh password, used only if
    no copy of the pair's is left. ``user_name`` is the name of the pair's login. ``asked`` is what the settings ask for
    each side, ``remote`` what is known of state over REST. ``overdue`` is True if a deleted Integration was tried to be
    taken down for too long. ``offers_exhausted`` is True if the receiving namespace has as many offers as it may have.
    ``keycloak_allowed`` is True if an Integration may ask for a user in Keycloak.
    """

    pair: Pair
    kinds: Kinds
    candidate: str = field(repr=False)
    space: AddressSpace | None = None
    authentication_type: str | None = None
    syndesis: Syndesis | None = None
    allowed: Verdict = field(default_factory=lambda: Verdict.deny("Unknown", ""))
    integration: Integration | None = None
    duplicates: tuple[Integration, ...] = ()
    secret: Live | None = None
    provided: Live | None = None
    user: Live | None = None
    connection: Live | None = None
    taken: tuple[NameTaken, ...] = ()
    former_users: tuple[Live, ...] = ()
    usernames: frozenset[str] = frozenset()
    user_name: str | None = None
    terminating: frozenset[str] = frozenset()
    enable_new: bool = False
    withdrawn: bool = False
    offers_exhausted: bool = False
    keycloak_allowed: bool = True
    held: bool = False
    asked: dict[str, str] = field(default_factory=lambda: {"user": "auto", "connection": "auto"})
    remote: RemoteState = field(default_factory=RemoteState)
    overdue: bool = False

    def taken_by(self, kind: Child) -> NameTaken | None:
        """Return the foreign object under the name that this pair needs for a kind."""
        return next((taken for taken in self.taken if taken.kind == kind), None)

    @property
    def crosses_namespaces(self) -> bool:
        """True if giver and receiver are two tenants."""
        return self.pair.space.namespace != self.pair.syndesis.namespace

    @property
    def login(self) -> str:
        """The name that the pair's user logs in with."""
        return self.user_name or naming.username(self.pair)
