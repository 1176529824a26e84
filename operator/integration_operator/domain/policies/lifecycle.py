"""What happens to a pair: nothing, its teardown, an offer, or its delivery.

``evaluate`` runs the checks in order, and the first that decides ends it. Each check ensures one thing. Their order is
the product's safety: nothing is concluded from what is not known, before anything else is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from integration_operator.api import names
from integration_operator.domain.model.conditions import ConditionType
from integration_operator.domain.model.facts import SOURCE_KINDS, DeliverablePair, Facts
from integration_operator.domain.model.platforms import AddressSpace, Syndesis
from integration_operator.domain.policies.readiness import can_connect
from integration_operator.runtime.conditions import Condition, ConditionStatus


@dataclass(frozen=True, slots=True)
class Hold:
    """Leave everything as it is. ``condition`` says why; None says nothing, because nothing is known for sure.

    ``paired_only`` means that it says nothing of the other conditions.
    """

    condition: Condition | None = None
    paired_only: bool = False


@dataclass(frozen=True, slots=True)
class TakeDown:
    """Delete what was delivered, and the offer too if ``withdraw``; ``condition`` says why.

    ``bounded`` means that only so many pairs a minute are taken down for this reason: no user or giver asked for it.
    """

    condition: Condition
    withdraw: bool = False
    bounded: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """Create the Integration."""

    space: AddressSpace
    syndesis: Syndesis


@dataclass(frozen=True, slots=True)
class Deliver:
    """Create and repair the Secret, the MessagingUser and the connection, which a binding does not have."""

    pair: DeliverablePair


LifecycleDecision = Hold | TakeDown | Offer | Deliver
LifecycleCheck = Callable[[Facts], LifecycleDecision | None]


def consent_stands(facts: Facts) -> LifecycleDecision | None:
    """Ensure that access ends when the giver or the receiver withdraws it, whatever else is the case.

    It comes before every other check: an Integration that is suspended, deleted with ``Retain`` or malformed, or a kind
    of ours that cannot be read, must not keep a login that is not allowed any more. It is decided from objects that
    exist: what is missing withdraws nothing here.
    """
    if facts.pairing or facts.space is None or facts.consumer is None or facts.cluster.upgrading:
        return None
    unknown = not all(map(facts.cluster.is_known, facts.needed_kinds & {"AddressSpace", "Syndesis"}))
    if unknown or (facts.syndesis is not None and facts.syndesis.deleting):
        return None
    moved = _space_moved(facts) if facts.pair.crosses_namespaces else None  # the status must not tell that it exists
    return TakeDown(moved or _unpaired(facts.pairing.reason, facts.pairing.message), withdraw=True)


def kinds_in_sync(facts: Facts) -> LifecycleDecision | None:
    """Ensure that nothing is concluded from a store that is not in sync, unless a deletion has waited for too long."""
    out_of_sync = facts.cluster.out_of_sync & facts.needed_kinds
    return Hold() if out_of_sync and not facts.holds.overdue else None


def both_watched(facts: Facts) -> LifecycleDecision | None:
    """Ensure that nothing is concluded from objects that are not read: they may exist.

    It does not keep an Integration that is being deleted.
    """
    if not facts.unwatched or (facts.integration and facts.integration.live.deleting):
        return None
    message = (
        f"The operator does not watch namespace {', '.join(sorted(facts.unwatched))}, and everything stays as it is; "
        "add it to the setting namespaces"
    )
    return Hold(_unpaired("NamespaceNotWatched", message, "Unknown"), paired_only=True)


def installed(facts: Facts) -> LifecycleDecision | None:
    """Ensure that an uninstallation takes everything down, whatever a user or a suspended Integration asks for.

    Of pairs whose Integration is gone, what a user retained stays.
    """
    if facts.settings.uninstall != "delete":
        return None
    return TakeDown(_unpaired("Uninstalling", "The operator is uninstalled"), withdraw=facts.integration is not None)


def upgrade_done(facts: Facts) -> LifecycleDecision | None:
    """Ensure that AddressSpaces which vanish from the earlier API during an upgrade of EnMasse do not count as deleted.

    The upgrade converts ConfigMaps to AddressSpaces and deletes them (upgrader.go and
    AddressSpaceController.java:161-187 @0.33.1).
    """
    if facts.holds.overdue or not facts.cluster.upgrading:
        return None
    message = (
        f"EnMasse serves AddressSpaces as a kind now, and they are still read by {facts.cluster.source}: everything "
        "stays as it is until they are read from the kind (setting address_spaces)"
    )
    return Hold(_unpaired("EnMasseUpgrading", message, "Unknown"), paired_only=True)


def integration_stays(facts: Facts) -> LifecycleDecision | None:
    """Ensure that an Integration which is being deleted goes, whatever else is the case.

    Nothing is created for it, and our finalizer holds it no longer than state over REST exists.
    """
    if facts.integration and facts.integration.live.deleting:
        return TakeDown(_unpaired("IntegrationDeleting", "The Integration is being deleted"))
    return None


def platforms_served(facts: Facts) -> LifecycleDecision | None:
    """Ensure that a platform which is not installed, or is being upgraded, is no reason to delete anything."""
    for kind in SOURCE_KINDS:
        if kind in facts.cluster.absent & facts.needed_kinds:
            message = f"The cluster does not serve {kind}; everything stays as it is"
            return Hold(_unpaired(f"{kind}NotServed", message, "Unknown"), paired_only=True)
    return None


def spec_valid(facts: Facts) -> LifecycleDecision | None:
    """Ensure that a spec which no CRD has validated is not acted on."""
    if facts.integration and facts.integration.problem:
        return Hold(_unpaired("InvalidSpec", facts.integration.problem))
    return None


def not_suspended(facts: Facts) -> LifecycleDecision | None:
    """Ensure that nothing is created, changed or deleted for a suspended Integration."""
    if facts.integration and facts.integration.spec.suspend:
        message = "spec.suspend is true: nothing is created, changed or deleted until it is false"
        return Hold(Condition("CredentialsReady", "Unknown", "Suspended", message))
    return None


def not_held(facts: Facts) -> LifecycleDecision | None:
    """Ensure that a source which suddenly shows almost nothing does not empty the cluster."""
    if not facts.holds.mass_deletion or (facts.integration and facts.integration.deletion_confirmed):
        return None
    vanished = f"AddressSpace {facts.pair.space}"
    if not facts.pair.is_binding:
        vanished += f" or Syndesis {facts.pair.syndesis}"
    message = (
        f"{vanished} vanished together with many others, and what was delivered stays; if that is meant: "
        f"{_confirm_command(facts)}"
    )
    return Hold(_unpaired("MassDeletionHeld", message, "Unknown"), paired_only=True)


def namespaces_active(facts: Facts) -> LifecycleDecision | None:
    """Ensure that objects in a namespace which is being deleted count as deleted, and are left alone."""
    for namespace in (facts.pair.space.namespace, facts.pair.consumer.namespace):
        if namespace in facts.terminating:
            message = f"Namespace {namespace} is being deleted"
            return TakeDown(_unpaired("NamespaceTerminating", message), withdraw=True)
    return None


def space_not_moved(facts: Facts) -> LifecycleDecision | None:
    """Ensure that an upgrade of EnMasse, which creates every AddressSpace again in another place, deletes nothing.

    A pair that was delivered for an AddressSpace of one source waits until the other source shows it.
    """
    moved = _space_moved(facts) if facts.space is None else None
    return Hold(moved) if moved else None


def both_exist(facts: Facts) -> LifecycleDecision | None:
    """Ensure that what was delivered is deleted with its AddressSpace or Syndesis, and is not repaired meanwhile."""
    platforms: list[tuple[str, object, AddressSpace | Syndesis | None]] = [
        ("AddressSpace", facts.pair.space, facts.space)
    ]
    if not facts.pair.is_binding:
        platforms.insert(0, ("Syndesis", facts.pair.syndesis, facts.syndesis))
    for kind, ref, platform in platforms:
        if kind == "AddressSpace" and facts.pair.crosses_namespaces and not facts.pairing:
            return _gone(facts, _unpaired(facts.pairing.reason, facts.pairing.message))  # whether it exists or not
        if platform is None:
            return _gone(facts, _unpaired(f"{kind}NotFound", f"{kind} {ref} does not exist"))
        if platform.deleting:
            deleting = _unpaired(f"{kind}Deleting", f"{kind} {ref} is being deleted")
            return TakeDown(deleting, withdraw=True, bounded=True)
    return None


def offered(facts: Facts) -> LifecycleDecision | None:
    """Ensure that a pair that is allowed has an Integration, which a user can enable.

    A binding is never offered: what its Integration left behind is deleted.
    """
    if facts.integration is not None or facts.space is None:
        return None
    if facts.settings.uninstall is not None:
        return Hold()
    if facts.pair.is_binding:
        return TakeDown(_unpaired("IntegrationDeleting", "The Integration is deleted"))
    if facts.syndesis is None:
        return None
    if can_connect(facts.syndesis) and not facts.holds.offers_exhausted:
        return Offer(facts.space, facts.syndesis)
    return Hold()


def enabled(facts: Facts) -> LifecycleDecision | None:
    """Ensure that only an enabled Integration is delivered."""
    if facts.integration is None or facts.integration.enabled:
        return None
    name, namespace = facts.integration.ref.name, facts.integration.ref.namespace
    enable = f'kubectl patch integration {name} -n {namespace} --type=merge -p \'{{"spec":{{"enabled":true}}}}\''
    return TakeDown(Condition("CredentialsReady", "False", "NotEnabled", f"Enable it: {enable}"))


def deliverable(facts: Facts) -> LifecycleDecision | None:
    """Deliver the pair if everything that its delivery needs exists."""
    if facts.space is None or facts.consumer is None or facts.integration is None:
        return None
    return Deliver(DeliverablePair(facts, facts.pair, facts.space, facts.syndesis, facts.integration))


CHECKS: tuple[LifecycleCheck, ...] = (
    consent_stands,
    kinds_in_sync,
    both_watched,
    installed,
    upgrade_done,
    integration_stays,
    platforms_served,
    spec_valid,
    not_suspended,
    not_held,
    namespaces_active,
    space_not_moved,
    both_exist,
    offered,
    enabled,
    deliverable,
)


def evaluate(facts: Facts) -> LifecycleDecision:
    """Return the decision of the first check that makes one."""
    decisions = (check(facts) for check in CHECKS)
    return next((decision for decision in decisions if decision is not None), Hold())


def _unpaired(reason: str, message: str, status: ConditionStatus = "False") -> Condition:
    paired: ConditionType = "Paired"
    return Condition(paired, status, reason, message)


def _gone(facts: Facts, condition: Condition) -> LifecycleDecision:
    """Return what happens if one of the two does not exist.

    A backup tool may restore an Integration before its AddressSpace or Syndesis. It holds what a user chose, and its
    credential: an Integration that was never reconciled waits for them.
    """
    integration = facts.integration
    restored = integration is not None and not integration.disposable and integration.space_source is None
    if restored and facts.remote.absent:
        return Hold(condition)
    return TakeDown(condition, withdraw=True, bounded=True)


def _space_moved(facts: Facts) -> Condition | None:
    """Return the condition of a pair whose AddressSpace was read from another source when it was reconciled last."""
    integration = facts.integration
    if integration is None or integration.deletion_confirmed:
        return None
    before = integration.space_source
    if before in (None, facts.cluster.source):
        return None
    consent = f", or does not allow namespace {facts.pair.consumer.namespace}" if facts.pair.crosses_namespaces else ""
    message = (
        f"AddressSpace {facts.pair.space} was read by {before} and is not shown by {facts.cluster.source} yet"
        f"{consent}; if it is gone for good: {_confirm_command(facts)}"
    )
    return _unpaired("AddressSpaceMoved", message, "Unknown")


def _confirm_command(facts: Facts) -> str:
    """Return the command by which a user confirms that the pair is gone."""
    ref = facts.integration.ref if facts.integration else None
    name, namespace = (ref.name, ref.namespace) if ref else ("NAME", facts.pair.consumer.namespace)
    return f"kubectl annotate integration {name} -n {namespace} {names.CONFIRM_DELETION}=true"
