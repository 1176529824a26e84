"""An Integration as the operator reads it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from integration_operator.api import names
from integration_operator.api.integration import IntegrationSpec
from integration_operator.domain.model.conditions import summary_of
from integration_operator.domain.model.rotation import parse_time
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import ObjectReference, Ref


@dataclass(frozen=True, slots=True)
class Integration:
    """An Integration with its spec parsed.

    ``problem`` says what is wrong with a spec that no CRD has validated. ``offered`` means that the operator created
    it; the life of one that a user created is theirs. ``unanswered`` means that it was offered, and only the operator
    has written its spec.
    """

    live: LiveObject
    spec: IntegrationSpec
    problem: str | None = None
    offered: bool = False
    unanswered: bool = False

    @property
    def ref(self) -> Ref:
        """Its namespace and name."""
        return self.live.ref

    @property
    def reference(self) -> ObjectReference:
        """The object that Events are about."""
        return ObjectReference(str(self.live.document["apiVersion"]), "Integration", self.ref, self.live.uid)

    @property
    def generation(self) -> int:
        """The generation of its spec."""
        return int(self.live.document["metadata"].get("generation", 0))

    @property
    def created(self) -> str:
        """Its creation time (RFC 3339, whole seconds)."""
        return str(self.live.document["metadata"].get("creationTimestamp", ""))

    @property
    def is_binding(self) -> bool:
        """True if it is the consumer of what it delivers (``spec.consumer: binding``), instead of a Syndesis."""
        return self.spec.consumer == "binding"

    @property
    def untouched(self) -> bool:
        """True if it is an unanswered offer that no policy has enabled either."""
        return self.unanswered and not self.enabled

    @property
    def disposable(self) -> bool:
        """True if it is deleted together with its pair: an unanswered offer, or one that was reconciled before.

        An offer that a backup tool restored before its AddressSpace holds what a user chose.
        """
        return self.unanswered or (self.offered and self.space_source is not None)

    @property
    def status(self) -> dict[str, Any]:
        """Its status."""
        status = self.live.document.get("status")
        return status if isinstance(status, dict) else {}

    @property
    def conditions(self) -> list[dict[str, Any]]:
        """The conditions of its status."""
        conditions = self.status.get("conditions")
        return [condition for condition in conditions or () if isinstance(condition, dict)]

    def condition(self, type_: str) -> dict[str, Any]:
        """Return a condition, empty if it has none of this type."""
        return next((condition for condition in self.conditions if condition.get("type") == type_), {})

    @property
    def summary(self) -> dict[str, Any]:
        """The condition Ready, or the one in its place; empty if it has none."""
        return summary_of(self.conditions)

    @property
    def enabled(self) -> bool:
        """True if a user, or a policy, wants it delivered."""
        return bool(self.spec.enabled)

    @property
    def holds_rest_state(self) -> bool:
        """True if it has our finalizer: state over REST may exist."""
        return names.REST_STATE_FINALIZER in (self.live.document["metadata"].get("finalizers") or ())

    @property
    def rest_user(self) -> str:
        """Value of ``names.REST_USER``: the login that was about to be created over REST, empty if there is none."""
        return self.live.annotations.get(names.REST_USER, "")

    @property
    def delivered(self) -> dict[str, Any]:
        """What the status says was delivered. A tenant can write it: it proves nothing."""
        delivered = self.status.get("delivered")
        return delivered if isinstance(delivered, dict) else {}

    def delivered_side(self, key: str) -> dict[str, Any]:
        """Return what the status says of ``user``, ``secondUser`` or ``connection``, empty if there is none."""
        side = self.delivered.get(key)
        return side if isinstance(side, dict) else {}

    @property
    def delivered_uri(self) -> str | None:
        """The URI of the delivered connection; of a binding, that in the Secret."""
        uri = (self.delivered if self.is_binding else self.delivered_side("connection")).get("uri")
        return uri if isinstance(uri, str) else None

    @property
    def delivered_username(self) -> str | None:
        """The user name of the delivered connection."""
        return self._username_of("user")

    @property
    def delivered_usernames(self) -> frozenset[str]:
        """The names of all users that were delivered; there are two during a rotation."""
        usernames = (self._username_of("user"), self._username_of("secondUser"))
        return frozenset(username for username in usernames if username is not None)

    @property
    def bound_secret(self) -> str | None:
        """The Secret that the status offers to workloads."""
        binding = self.status.get("binding")
        name = binding.get("name") if isinstance(binding, dict) else None
        return name if isinstance(name, str) else None

    @property
    def moved_at(self) -> datetime | None:
        """Since when the connection has the user that it has now, if an earlier one remains."""
        rotation = self.status.get("rotation")
        return parse_time(rotation.get("movedAt")) if isinstance(rotation, dict) else None

    @property
    def space_source(self) -> str | None:
        """How the AddressSpace was read when the pair was reconciled last."""
        source = self.delivered.get("source")
        return str(source) if source else None

    @property
    def deletion_confirmed(self) -> bool:
        """True if a user released it from the guard against mass deletion."""
        return self.live.annotations.get(names.CONFIRM_DELETION) == "true"

    def _username_of(self, key: str) -> str | None:
        username = self.delivered_side(key).get("username")
        return username if isinstance(username, str) else None

    def equals_without_status(self, other: Integration) -> bool:
        """Check if the two differ in nothing but their status."""
        own, others = ({**i.live.document, "status": None} for i in (self, other))
        return own == others

    def as_deleting(self) -> Integration:
        """Return it as if its deletion waited for state over REST, although our finalizer was removed."""
        metadata = {key: value for key, value in self.live.document["metadata"].items() if key != "finalizers"}
        metadata.setdefault("deletionTimestamp", "")
        return replace(self, live=replace(self.live, document={**self.live.document, "metadata": metadata}))
