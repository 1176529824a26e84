"""What a decision asks for. An action carries all that its execution needs, and why it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from integration_operator.domain.credentials import Credential
from integration_operator.domain.live import Live, differences
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.platforms import AddressSpace
from integration_operator.domain.remote import OverRest, Remote

Child = Literal["Secret", "MessagingUser", "Connection"]
Made = Literal["Integration", "Secret", "MessagingUser", "Connection"]
"""The kinds that the operator makes; all but the Integration are its children."""

MOST_FIELDS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply of a document.

    With ``uid`` the object that we know is meant and our fields are taken back from whoever changed them. Without, it
    is new: the apply does not force, so that a foreign object of the same name that we have not seen yet is not
    overwritten. ``first`` says that nothing else may be created for the pair before this is done.
    """

    kind: Made
    document: dict[str, Any] = field(repr=False)
    why: str
    uid: str | None = None
    first: bool = False

    @property
    def ref(self) -> Ref:
        """The object meant."""
        metadata = self.document["metadata"]
        return Ref(metadata["namespace"], metadata["name"])


@dataclass(frozen=True, slots=True)
class Remove:
    """Deletion of the object of that name and uid, no other."""

    kind: Made
    ref: Ref
    uid: str
    why: str

    @classmethod
    def of(cls, kind: Made, live: Live, why: str) -> Remove:
        """Remove the object that is there."""
        return cls(kind, live.ref, live.uid, why)


@dataclass(frozen=True, slots=True)
class Deliver:
    """Bring one side to its platform over REST: make it, mend it, or look whether it is still as it was left.

    ``known`` is what is known of it so far; ``applied`` and ``credentials`` are the hashes under which success is
    noted, ``platform`` the uid of the platform that it is noted for. ``verify`` asks Syndesis to try the connection.
    ``handed_over`` is the id of the connection that the pair's own Connection has.
    """

    kind: Child
    how: OverRest
    pair: Pair
    document: dict[str, Any] = field(repr=False)
    credential: Credential
    space: AddressSpace
    known: Remote
    applied: str
    credentials: str
    why: str
    verify: bool = False
    platform: str = ""
    handed_over: str | None = None

    @property
    def confirmed(self) -> bool:
        """True if the other side was seen to have exactly this."""
        return self.known.delivery == self.how and self.known.confirmed(self.applied, self.credentials, self.platform)

    @property
    def username(self) -> str:
        """The name of the login that it is about."""
        return self.credential.username

    @property
    def ref(self) -> Ref:
        """The name of the rendered document."""
        metadata = self.document["metadata"]
        return Ref(metadata["namespace"], metadata["name"])


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Remove what stands over REST for one side.

    ``username`` and ``space`` are the user's. ``login`` is the name that the pair's connection logs in with.
    """

    kind: Child
    how: OverRest
    pair: Pair
    ref: Ref
    known: Remote
    why: str
    username: str | None = None
    space: AddressSpace | None = None
    login: str | None = None


@dataclass(frozen=True, slots=True)
class LetGo:
    """Take a side that was made over REST as no concern of ours from now on, without a request.

    ``left_behind`` says that it is still there and should not be.
    """

    kind: Child
    ref: Ref
    why: str
    left_behind: bool = False


@dataclass(frozen=True, slots=True)
class Finalize:
    """Put our finalizer on the Integration (``present``), or take it off."""

    ref: Ref
    uid: str
    present: bool
    why: str
    kind: Made = "Integration"


Action = Apply | Remove | Deliver | Withdraw | LetGo | Finalize


def wanted(kind: Made, live: Live | None, document: dict[str, Any], *, first: bool = False) -> list[Action]:
    """Return the apply that brings an object to what is wanted; nothing if it is there already."""
    if live is None:
        return [Apply(kind, document, "it is not there", first=first)]
    changed = differences(live, document)
    if not changed:
        return []
    why = f"changed: {', '.join(changed[:MOST_FIELDS_NAMED])}"
    return [Apply(kind, document, why, live.uid, first)]
