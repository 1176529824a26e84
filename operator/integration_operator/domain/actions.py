"""What a decision asks for. An action carries all that its execution needs, and why it is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from integration_operator.domain.pair import Ref

ChildKind = Literal["Integration", "Secret", "MessagingUser", "Connection"]


@dataclass(frozen=True, slots=True)
class Apply:
    """Server-side apply of a document.

    With ``uid`` the object that we know is meant and our fields are taken back from whoever changed them. Without, it
    is new: the apply does not force, so that a stranger of the same name whom we have not seen yet is not overwritten.
    """

    kind: ChildKind
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

    kind: ChildKind
    ref: Ref
    uid: str
    why: str


Action = Apply | Remove
