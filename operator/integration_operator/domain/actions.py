"""What a decision asks for. An action carries all that its execution needs, and why it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from integration_operator.domain.live import Live, differences
from integration_operator.domain.pair import Ref

Child = Literal["Secret", "MessagingUser", "Connection"]
Made = Literal["Integration", "Secret", "MessagingUser", "Connection"]
"""The kinds that the operator makes; all but the Integration are its children."""

MOST_FIELDS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply of a document.

    With ``uid`` the object that we know is meant and our fields are taken back from whoever changed them. Without, it
    is new: the apply does not force, so that a stranger of the same name whom we have not seen yet is not overwritten.
    """

    kind: Made
    document: dict[str, Any] = field(repr=False)
    why: str
    uid: str | None = None

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


Action = Apply | Remove


def wanted(kind: Made, live: Live | None, document: dict[str, Any]) -> list[Action]:
    """The apply that brings an object to what is wanted; nothing where it is there already."""
    if live is None:
        return [Apply(kind, document, "it is not there")]
    changed = differences(live, document)
    if not changed:
        return []
    return [Apply(kind, document, f"changed: {', '.join(changed[:MOST_FIELDS_NAMED])}", uid=live.uid)]
