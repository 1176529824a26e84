"""Everything a decision about one pair may look at, gathered from the stores without a request."""

from __future__ import annotations

from dataclasses import dataclass, field

from integration_operator.domain.actions import Child
from integration_operator.domain.integration import Integration
from integration_operator.domain.live import Live
from integration_operator.domain.pair import Pair
from integration_operator.domain.platforms import AddressSpace, Syndesis
from integration_operator.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Kinds:
    """What is known of the kinds: where each is served (``apiVersion``), and which of them are in sync.

    A kind that is not served is absent, which is not an outage; one that is neither in sync nor absent is an outage,
    and nothing may be concluded from what its store does not hold.
    """

    api_versions: dict[str, str]
    absent: frozenset[str] = frozenset()
    out_of_sync: frozenset[str] = frozenset()


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
    password, used only where no copy of the pair's is left.
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
    terminating: frozenset[str] = frozenset()
    enable_new: bool = False
    withdrawn: bool = False
    held: bool = False
