"""An Integration as the operator reads it, and which pair it stands for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from integration_operator.api import names
from integration_operator.api.integration import IntegrationSpec
from integration_operator.domain import naming
from integration_operator.domain.live import Live
from integration_operator.domain.ownership import is_offer, is_untouched_offer
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.platforms import AddressSpace, Syndesis
from integration_operator.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Integration:
    """An Integration with its spec parsed; ``problem`` says what is wrong with a spec that no CRD has checked."""

    live: Live
    spec: IntegrationSpec
    problem: str | None = None

    @classmethod
    def of(cls, document: dict[str, Any]) -> Integration:
        """Read a document of the API; the document is used up."""
        live = Live.of(document)
        try:
            return cls(live, IntegrationSpec.model_validate(live.document.get("spec") or {}))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            return cls(live, IntegrationSpec(), f"spec.{where}: {first['msg']}")

    @property
    def ref(self) -> Ref:
        """Its namespace and name."""
        return self.live.ref

    @property
    def generation(self) -> int:
        """The generation of its spec."""
        return int(self.live.document["metadata"].get("generation", 0))

    @property
    def created(self) -> str:
        """When it was created (RFC 3339, whole seconds)."""
        return str(self.live.document["metadata"].get("creationTimestamp", ""))

    @property
    def offered(self) -> bool:
        """True if the operator offered it; the life of one that a user wrote is theirs."""
        return is_offer(self.live)

    @property
    def unanswered(self) -> bool:
        """True if it is an offer in whose spec only the operator wrote."""
        return is_untouched_offer(self.live)

    @property
    def untouched(self) -> bool:
        """True if it is an unanswered offer that no policy enabled either."""
        return self.unanswered and not self.enabled

    def gone(self) -> Integration:
        """Return it as if its deletion waited for what stands over REST: somebody took our finalizer off."""
        metadata = {key: value for key, value in self.live.document["metadata"].items() if key != "finalizers"}
        metadata.setdefault("deletionTimestamp", "")
        return replace(self, live=replace(self.live, document={**self.live.document, "metadata": metadata}))

    @property
    def given_up(self) -> bool:
        """True if it goes with its pair: an offer that nothing was written into, or that stood for a pair before.

        One that a backup tool put back before its AddressSpace stands for no pair yet, and holds what a user chose.
        """
        return self.unanswered or (self.offered and self.space_read_from is not None)

    @property
    def status(self) -> dict[str, Any]:
        """What was said of it last."""
        found = self.live.document.get("status")
        return found if isinstance(found, dict) else {}

    def says_the_same(self, other: Integration) -> bool:
        """Check that the two differ in nothing but their status."""
        mine, theirs = ({**i.live.document, "status": None} for i in (self, other))
        return mine == theirs

    @property
    def enabled(self) -> bool:
        """True if a user, or a policy, wants it delivered."""
        return bool(self.spec.enabled)

    @property
    def holds_rest_state(self) -> bool:
        """True if it has our finalizer: state over REST may be there."""
        return names.REST_STATE_FINALIZER in (self.live.document["metadata"].get("finalizers") or ())

    @property
    def delivered_uri(self) -> str | None:
        """Where the delivered connection leads."""
        connection = self.delivered.get("connection")
        found = connection.get("uri") if isinstance(connection, dict) else None
        return found if isinstance(found, str) else None

    @property
    def delivered(self) -> dict[str, Any]:
        """What the status says was delivered. A tenant can write it: it proves nothing."""
        found = self.status.get("delivered")
        return found if isinstance(found, dict) else {}

    @property
    def space_read_from(self) -> str | None:
        """How the AddressSpace was read when the pair was looked at last."""
        found = self.delivered.get("source")
        return str(found) if found else None

    @property
    def confirmed_deletion(self) -> bool:
        """True if a user released it from the guard against mass deletion."""
        return self.live.annotations.get(names.CONFIRM_DELETION) == "true"


def first_of(integrations: Iterable[Integration]) -> list[Integration]:
    """Return the Integrations for one pair, the one that counts in front: the oldest, then by name.

    An offer in which no user wrote gives way to one that a user wrote, whichever came first. Creation times are whole
    seconds. Of two made in one second the one that stands for the pair already goes first.
    """
    return sorted(integrations, key=lambda i: (i.untouched, i.created, not i.status.get("phase"), i.ref))


def pair_of(
    integration: Integration,
    spaces_named: Callable[[str], Sequence[AddressSpace]],
    syndesises_in: Callable[[str], Sequence[Syndesis]],
    may_pair: Callable[[AddressSpace, Syndesis], Verdict],
) -> Pair | Verdict:
    """Return the pair that an Integration stands for, or a no that says what a user has to add.

    What the spec leaves out is found if only one answer is possible: the one Syndesis of the namespace, and the one
    AddressSpace of the name that the proof of concept put into the Integration's name.
    """
    namespace = integration.ref.namespace
    client = integration.spec.client
    if not client:
        here = [s for s in syndesises_in(namespace) if s.status_reason != "Duplicate"]
        if len(here) != 1:
            return Verdict.deny("ClientMissing", f"set spec.client: namespace {namespace} has {len(here)} Syndesis")
        client = here[0].ref.name
    syndesis = Ref(namespace, client)
    if reference := integration.spec.address_space_ref:
        return Pair(Ref(reference.namespace, reference.name), syndesis)
    name = naming.space_of_proof_of_concept(integration.ref.name)
    if name is None:
        return Verdict.deny("AddressSpaceMissing", "set spec.addressSpaceRef to the AddressSpace's namespace and name")
    instance = next((s for s in syndesises_in(namespace) if s.ref == syndesis), None)
    found = [space for space in spaces_named(name) if instance is not None and may_pair(space, instance)]
    if len(found) != 1:
        return Verdict.deny(
            "AddressSpaceAmbiguous" if found else "AddressSpaceNotFound",
            f"set spec.addressSpaceRef: {len(found)} AddressSpaces named {name!r} may be paired with {syndesis}",
        )
    return Pair(found[0].ref, syndesis)
