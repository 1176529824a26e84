"""Actions of a plan. An action carries all that its execution needs, and why it is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace
from integration_operator.domain.model.remote_state import RemoteDelivery, RemoteState
from integration_operator.runtime.live_object import LiveObject, differences
from integration_operator.runtime.ref import Ref

ChildKind = Literal["Secret", "MessagingUser", "Connection"]
OwnKind = Literal["Integration", "Secret", "MessagingUser", "Connection"]
"""The kinds that the operator creates. All but the Integration are its children."""

MAX_FIELDS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply a document by server-side apply.

    With ``uid`` the object exists, and the apply takes our fields back from other managers. Without, the object is new,
    and is only created: an object of the same name that the cache does not show yet is not changed.
    ``first`` means that nothing else may be created for the pair before this is done. ``only_if`` is the object that
    the document was made from: any other version of it must not be changed. ``rotation`` means that the action is part
    of a rotation, here and in the actions below: its failure is no failure of the user in use.
    """

    kind: OwnKind
    document: dict[str, Any] = field(repr=False)
    why: str
    uid: str | None = None
    first: bool = False
    only_if: LiveObject | None = field(default=None, repr=False)
    rotation: bool = False

    @property
    def ref(self) -> Ref:
        """The object's namespace and name."""
        metadata = self.document["metadata"]
        return Ref(metadata["namespace"], metadata["name"])


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the object of this name and uid."""

    kind: OwnKind
    ref: Ref
    uid: str
    why: str
    rotation: bool = False

    @classmethod
    def of(cls, kind: OwnKind, live: LiveObject, why: str) -> Delete:
        """Return the action that deletes an object."""
        return cls(kind, live.ref, live.uid, why)


@dataclass(frozen=True, slots=True)
class EnsureRemote:
    """Ensure over REST that a platform has one side as desired: create it, repair it, or read whether it is unchanged.

    ``remote`` is what is known of it. A success is noted under the hashes ``applied`` and ``credentials``, for the
    platform with the uid ``platform``. ``verify`` asks Syndesis to verify the connection. ``adopted_id`` is the id of
    the connection in the status of the pair's own Connection resource. ``inherited`` is the user name of the proof of
    concept's login, if the pair inherits it.
    """

    kind: ChildKind
    delivery: RemoteDelivery
    pair: Pair
    document: dict[str, Any] = field(repr=False)
    credential: Credential
    space: AddressSpace
    remote: RemoteState
    applied: str
    credentials: str
    why: str
    verify: bool = False
    platform: str = ""
    adopted_id: str | None = None
    inherited: str | None = None
    rotation: bool = False

    @property
    def confirmed(self) -> bool:
        """True if the platform is known to have exactly this."""
        confirmed = self.remote.confirmed(self.applied, self.credentials, self.platform)
        return self.remote.delivery == self.delivery and confirmed

    @property
    def username(self) -> str:
        """The user name of the credential."""
        return self.credential.username

    @property
    def ref(self) -> Ref:
        """The namespace and name of the rendered document."""
        metadata = self.document["metadata"]
        return Ref(metadata["namespace"], metadata["name"])


@dataclass(frozen=True, slots=True)
class DeleteRemote:
    """Delete one side over REST.

    ``username`` and ``space`` are those of a user. ``login`` is the user name of the pair's connection. ``inherited``
    is the user name of the proof of concept's login, if the pair inherits it.
    """

    kind: ChildKind
    delivery: RemoteDelivery
    pair: Pair
    ref: Ref
    remote: RemoteState
    why: str
    username: str | None = None
    space: AddressSpace | None = None
    login: str | None = None
    inherited: str | None = None
    rotation: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """Stop tracking one side over REST, without a request. ``orphaned`` means that it should have been deleted.

    ``username`` is the user's, None for all users.
    """

    kind: ChildKind
    ref: Ref
    why: str
    orphaned: bool = False
    username: str | None = None


@dataclass(frozen=True, slots=True)
class SetFinalizer:
    """Add our finalizer to the Integration (``present``), or remove it.

    ``user`` is the value of ``names.REST_USER`` beside it; empty removes that annotation.
    """

    ref: Ref
    uid: str
    present: bool
    why: str
    user: str = ""
    kind: OwnKind = "Integration"


Action = Apply | Delete | EnsureRemote | DeleteRemote | Release | SetFinalizer


def apply_if_changed(
    kind: OwnKind, live: LiveObject | None, desired: dict[str, Any], *, first: bool = False
) -> tuple[Apply, ...]:
    """Return the action that makes an object as desired; none if it is."""
    if live is None:
        return (Apply(kind, desired, "it does not exist", first=first),)
    changed = differences(live, desired)
    if not changed:
        return ()
    return (Apply(kind, desired, f"changed: {', '.join(changed[:MAX_FIELDS_NAMED])}", live.uid, first),)
