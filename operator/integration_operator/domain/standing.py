"""Where a pair stands: whether to leave it alone, to take it down, to offer it, or to deliver it.

The checks are asked in order and the first that answers decides; each makes sure of one thing, and says it. That
order is the product's safety: nothing is concluded from what is not known, before anything else is asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from integration_operator.api import names
from integration_operator.domain.conditions import Finding, Status, Type
from integration_operator.domain.facts import Facts
from integration_operator.domain.readiness import can_connect


class Step(Enum):
    """What is to be done for a pair."""

    HOLD = "leave everything as it is"
    REMOVE = "take down what was delivered"
    WITHDRAW = "take down what was delivered, and the offer"
    OFFER = "make the Integration"
    DELIVER = "make and repair Secret, MessagingUser and Connection"


@dataclass(frozen=True, slots=True)
class Standing:
    """A step and why; ``finding`` is the condition that says so, None if there is nothing to say."""

    step: Step
    reason: str = ""
    message: str = ""
    type: Type = "Paired"
    status: Status = "False"

    @property
    def finding(self) -> Finding | None:
        """The condition that says why, None if there is nothing to say."""
        return Finding(self.type, self.status, self.reason, self.message) if self.reason else None


Check = Callable[[Facts], Standing | None]

SOURCES = ("AddressSpace", "Syndesis", "Integration")
CHILDREN = ("Secret", "MessagingUser", "Connection")


def consent_stands(facts: Facts) -> Standing | None:
    """Make sure that access which the giver or the receiver withdrew ends, whatever else is the matter.

    It comes before every other check: an Integration that is suspended, deleted with `Retain` or malformed, or a kind
    of ours that cannot be read, must not keep a login that is not allowed any more. It is judged from objects that are
    there: what is missing withdraws nothing here.
    """
    if facts.allowed or facts.space is None or facts.syndesis is None:
        return None
    unknown = {"AddressSpace", "Syndesis"} & (facts.kinds.out_of_sync | facts.kinds.absent)
    if unknown or facts.syndesis.deleting or facts.kinds.upgrading:
        return None
    moved = _moved(facts) if facts.crosses_namespaces else None  # what a status says must not tell that it exists
    if moved is not None:
        return replace(moved, step=Step.WITHDRAW)
    return Standing(Step.WITHDRAW, facts.allowed.reason, facts.allowed.message)


def everything_known(facts: Facts) -> Standing | None:
    """Make sure that nothing is concluded from a store that is not in sync, unless a deletion waits for too long."""
    if facts.overdue:
        return None
    unknown = [kind for kind in (*SOURCES, *CHILDREN, "Namespace") if kind in facts.kinds.out_of_sync]
    return Standing(Step.HOLD) if unknown else None


def upgrade_done(facts: Facts) -> Standing | None:
    """Make sure that what EnMasse shows in its earlier way while it is upgraded is not taken for "none left".

    It turns its ConfigMaps into AddressSpaces and deletes them (upgrader.go and AddressSpaceController.java:161-187
    @0.33.1).
    """
    if facts.overdue or not facts.kinds.upgrading:
        return None
    return Standing(
        Step.HOLD,
        "EnMasseUpgrading",
        f"EnMasse serves AddressSpaces as a kind now, and they are still read by {facts.kinds.source}: everything "
        "stays as it is until they are read from the kind (setting address_spaces)",
        status="Unknown",
    )


def integration_stays(facts: Facts) -> Standing | None:
    """Make sure that an Integration on its way out goes, whatever else is the matter: nothing is made for it, and
    our finalizer never holds it longer than what stands over REST.
    """
    if facts.integration and facts.integration.live.deleting:
        return Standing(Step.REMOVE, "IntegrationDeleting", "the Integration is being deleted")
    return None


def platforms_served(facts: Facts) -> Standing | None:
    """Make sure that a platform that is not installed, or just being upgraded, is no reason to tear down."""
    for kind in SOURCES:
        if kind in facts.kinds.absent:
            not_served = f"the cluster does not serve {kind}"
            return Standing(Step.HOLD, f"{kind}NotServed", f"{not_served}; everything stays as it is", status="Unknown")
    return None


def namespaces_alive(facts: Facts) -> Standing | None:
    """Make sure that what goes with a namespace is taken as gone; nothing is touched in it any more."""
    for namespace in (facts.pair.space.namespace, facts.pair.syndesis.namespace):
        if namespace in facts.terminating:
            return Standing(Step.WITHDRAW, "NamespaceTerminating", f"namespace {namespace} is being deleted")
    return None


def spec_understood(facts: Facts) -> Standing | None:
    """Make sure that a spec which no CRD has checked is not acted on."""
    if facts.integration and facts.integration.problem:
        return Standing(Step.HOLD, "InvalidSpec", facts.integration.problem)
    return None


def not_suspended(facts: Facts) -> Standing | None:
    """Make sure that for a suspended Integration nothing is created, changed or deleted."""
    if facts.integration and facts.integration.spec.suspend:
        message = "spec.suspend is true: nothing is created, changed or deleted until it is false"
        return Standing(Step.HOLD, "Suspended", message, type="CredentialsReady", status="Unknown")
    return None


def not_held(facts: Facts) -> Standing | None:
    """Make sure that a source which suddenly shows next to nothing does not empty the cluster."""
    if not facts.held or (facts.integration and facts.integration.confirmed_deletion):
        return None
    return Standing(
        Step.HOLD,
        "MassDeletionHeld",
        f"AddressSpace {facts.pair.space} or Syndesis {facts.pair.syndesis} vanished together with many others, and "
        f"what was delivered stays; if that is meant: {_confirmation(facts)}",
        status="Unknown",
    )


def _confirmation(facts: Facts) -> str:
    """Return the command by which a user confirms that the pair is gone."""
    name, namespace = _name_and_namespace(facts)
    return f"kubectl annotate integration {name} -n {namespace} {names.CONFIRM_DELETION}=true"


def space_moved(facts: Facts) -> Standing | None:
    """Make sure that an upgrade of EnMasse, which makes every AddressSpace anew in another place, tears nothing down.

    A pair that was delivered for an AddressSpace read in one way waits until it is shown in the other.
    """
    return _moved(facts) if facts.space is None else None


def _moved(facts: Facts) -> Standing | None:
    """Return what is said of an AddressSpace that was read in another way when the pair was reconciled last."""
    integration = facts.integration
    if integration is None or integration.confirmed_deletion:
        return None
    before = integration.space_read_from
    if before in (None, facts.kinds.source):
        return None
    consent = f", or does not allow namespace {facts.pair.syndesis.namespace}" if facts.crosses_namespaces else ""
    return Standing(
        Step.HOLD,
        "AddressSpaceMoved",
        f"AddressSpace {facts.pair.space} was read by {before} and is not shown by {facts.kinds.source} yet{consent}; "
        f"if it is gone for good: {_confirmation(facts)}",
        status="Unknown",
    )


def both_there(facts: Facts) -> Standing | None:
    """Make sure that what was delivered goes when one of the two goes, and that nothing is repaired for it."""
    for kind, ref, there in (
        ("Syndesis", facts.pair.syndesis, facts.syndesis),
        ("AddressSpace", facts.pair.space, facts.space),
    ):
        if kind == "AddressSpace" and facts.crosses_namespaces and not facts.allowed:
            return Standing(_step(facts), facts.allowed.reason, facts.allowed.message)  # whether it exists or not
        if there is None:
            return Standing(_step(facts), f"{kind}NotFound", f"{kind} {ref} does not exist")
        if there.deleting:
            return Standing(Step.WITHDRAW, f"{kind}Deleting", f"{kind} {ref} is being deleted")
    return None


def _step(facts: Facts) -> Step:
    """Return what to do if one of the two does not exist.

    What a backup tool puts back before its AddressSpace or Syndesis holds what a user chose, and its credential: an
    Integration that stood for no pair yet waits for them.
    """
    integration = facts.integration
    if integration is None or integration.given_up or integration.space_read_from is not None:
        return Step.WITHDRAW
    return Step.HOLD if facts.remote.nothing else Step.WITHDRAW


def offered(facts: Facts) -> Standing | None:
    """Make sure that a pair which may be has an Integration, so that a user can enable it."""
    if facts.integration is not None:
        return None
    assert facts.syndesis is not None
    may_offer = can_connect(facts.syndesis) and not facts.offers_exhausted
    return Standing(Step.OFFER if may_offer else Step.HOLD)


def enabled(facts: Facts) -> Standing | None:
    """Make sure that only what was asked for is delivered."""
    if facts.integration and facts.integration.enabled:
        return None
    name, namespace = _name_and_namespace(facts)
    enable = f'kubectl patch integration {name} -n {namespace} --type=merge -p \'{{"spec":{{"enabled":true}}}}\''
    return Standing(Step.REMOVE, "NotEnabled", f"enable it: {enable}", type="CredentialsReady")


def _name_and_namespace(facts: Facts) -> tuple[str, str]:
    """Return the Integration's name and namespace for a command that a user can copy."""
    if facts.integration is None:
        return "NAME", facts.pair.syndesis.namespace
    return facts.integration.ref.name, facts.integration.ref.namespace


CHECKS: tuple[Check, ...] = (
    consent_stands,
    everything_known,
    upgrade_done,
    integration_stays,
    platforms_served,
    spec_understood,
    not_suspended,
    not_held,
    namespaces_alive,
    space_moved,
    both_there,
    offered,
    enabled,
)


def stand(facts: Facts) -> Standing:
    """Return the answer of the first check that has one, else delivery."""
    for check in CHECKS:
        standing = check(facts)
        if standing is not None:
            return standing
    return Standing(Step.DELIVER)
