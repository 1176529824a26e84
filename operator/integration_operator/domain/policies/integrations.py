"""Which Integration is used for a pair, and which pair an Integration is for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from integration_operator.api import names
from integration_operator.api.integration import IntegrationSpec
from integration_operator.domain.model import naming
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace, Syndesis
from integration_operator.domain.policies.ownership import is_offer, is_unanswered_offer
from integration_operator.domain.policies.pairing import may_pair
from integration_operator.runtime.live_object import LiveObject
from integration_operator.runtime.ref import Ref

ADDRESS_SPACE_MISSING = Check.failure(
    "AddressSpaceMissing", "Set spec.addressSpaceRef to the AddressSpace's namespace and name"
)


def parse_integration(document: dict[str, Any]) -> Integration:
    """Parse a document of the API, which is consumed."""
    live = LiveObject.of(document, names.FIELD_MANAGER)
    spec, problem = IntegrationSpec(), None
    try:
        spec = IntegrationSpec.model_validate(live.document.get("spec") or {})
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, ('spec', *first['loc'])))}: {first['msg']}"
    integration = Integration(live, spec, problem)
    if integration.is_binding:  # it is never offered
        return integration
    return replace(integration, offered=is_offer(live), unanswered=is_unanswered_offer(live))


def rank(integrations: Iterable[Integration]) -> list[Integration]:
    """Return the Integrations for one pair, the one that is used first: the oldest, then by name.

    An offer that no user has answered gives way to an Integration that a user wrote. Creation times are whole seconds:
    of two from the same second the one that was reconciled before comes first.
    """
    return sorted(integrations, key=lambda i: (i.untouched, i.created, not i.status.get("phase"), i.ref))


def specified_pair(integration: Integration) -> Pair | None:
    """Return the pair that the spec names in full; None if it leaves out the Syndesis or the AddressSpace."""
    reference, client = integration.spec.address_space_ref, integration.spec.client
    if reference is not None and integration.is_binding:
        return Pair(Ref(reference.namespace, reference.name), integration.ref, "Integration")
    if reference is None or not client:
        return None
    return Pair(Ref(reference.namespace, reference.name), Ref(integration.ref.namespace, client))


def resolve_pair(
    integration: Integration, syndesises: Sequence[Syndesis], spaces: Sequence[AddressSpace], rules: Sequence[str]
) -> Pair | Check:
    """Return the pair of an Integration, or a failed check that says what a user has to add.

    ``syndesises`` are those of its namespace. ``spaces`` have the name that the proof of concept put into the
    Integration's name. What the spec leaves out is filled in if there is only one candidate.
    """
    if (pair := specified_pair(integration)) is not None:
        return pair
    if integration.is_binding:
        return ADDRESS_SPACE_MISSING
    namespace = integration.ref.namespace
    client = integration.spec.client
    if not client:
        candidates = [s for s in syndesises if s.status_reason != "Duplicate"]
        if len(candidates) != 1:
            return Check.failure(
                "ClientMissing", f"Set spec.client: namespace {namespace} has {len(candidates)} Syndesis"
            )
        client = candidates[0].ref.name
    syndesis = Ref(namespace, client)
    if reference := integration.spec.address_space_ref:
        return Pair(Ref(reference.namespace, reference.name), syndesis)
    name = naming.space_of_proof_of_concept(integration.ref.name)
    if name is None:
        return ADDRESS_SPACE_MISSING
    instance = next((s for s in syndesises if s.ref == syndesis), None)
    allowed = [space for space in spaces if instance is not None and may_pair(space, instance, rules)]
    if len(allowed) != 1:
        return Check.failure(
            "AddressSpaceAmbiguous" if allowed else "AddressSpaceNotFound",
            f"Set spec.addressSpaceRef: {len(allowed)} AddressSpaces named {name!r} may be paired with {syndesis}",
        )
    return Pair(allowed[0].ref, syndesis)
