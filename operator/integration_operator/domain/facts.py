"""Everything a decision about one pair may look at, gathered from the stores without a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from integration_operator.domain import naming
from integration_operator.domain.actions import Child
from integration_operator.domain.integration import Integration
from integration_operator.domain.live import Live
from integration_operator.domain.pair import Pair
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
class Stray:
    """An object that was made for the pair and is not the one that is wanted."""

    kind: Child
    live: Live


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one pair.

    ``integration`` is the one that counts, ``duplicates`` are the others for the same pair. ``provided`` is the
    Secret that ``credentialsSecretRef`` names. ``held`` is True while the guard against mass deletion stands before
    this pair, ``withdrawn`` where its Integration was deleted while the pair stayed. ``candidate`` is a fresh
    password, used only where no copy of the pair's is left. ``user_name`` is the login's name where it is not the
    operator's own choice. ``asked`` is what the settings ask for each side, ``remote`` what is known of state over
    REST. ``overdue`` is True where an Integration has waited in deletion for longer than anybody should.
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
    strays: tuple[Stray, ...] = ()
    usernames: frozenset[str] = frozenset()
    user_name: str | None = None
    terminating: frozenset[str] = frozenset()
    enable_new: bool = False
    withdrawn: bool = False
    held: bool = False
    asked: dict[str, str] = field(default_factory=lambda: {"user": "auto", "connection": "auto"})
    remote: RemoteState = field(default_factory=RemoteState)
    overdue: bool = False

    @property
    def login(self) -> str:
        """The name that the pair's user logs in with."""
        return self.user_name or naming.username(self.pair)
