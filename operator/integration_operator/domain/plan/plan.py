"""The plan for a pair: from facts to conditions and actions.

``plan_pair`` is pure, and the same for ``run``, ``render``, ``explain`` and ``migrate``. It returns all that can be
done now, in the order in which it must be done: the Secret before the user that gets its password, the user before the
connection that uses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from integration_operator.api.integration import Delivered, RotationStatus
from integration_operator.domain.model.actions import (
    Action,
    Apply,
    Delete,
    EnsureRemote,
)
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.conditions import (
    SIDES_OF_BINDING,
    ConditionType,
    condition,
    verification,
    waiting,
)
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.facts import DeliverablePair, Facts
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.reasons import SIDES
from integration_operator.domain.plan.connection import plan_connection
from integration_operator.domain.plan.credential import plan_credential
from integration_operator.domain.plan.integration import offer, offers_that_give_way, upkeep
from integration_operator.domain.plan.manifests import TemplateRefused, Templates
from integration_operator.domain.plan.remote import release_finalizer, with_one_finalizer
from integration_operator.domain.plan.rotation import RotationPlan, plan_rotation
from integration_operator.domain.plan.status import delivered_state
from integration_operator.domain.plan.steps import StepPlan, transport_of
from integration_operator.domain.plan.teardown import plan_teardown
from integration_operator.domain.plan.user import plan_user
from integration_operator.domain.policies import readiness
from integration_operator.domain.policies.delivery_mode import UserDelivery, delivery_mode
from integration_operator.domain.policies.lifecycle import Deliver, Hold, Offer, TakeDown, evaluate
from integration_operator.domain.policies.readiness import Transport
from integration_operator.domain.policies.rotation import previous_users
from integration_operator.runtime.conditions import Condition


class Step(Enum):
    """What happens to a pair."""

    HOLD = "leave everything as it is"
    REMOVE = "delete what was delivered"
    WITHDRAW = "delete what was delivered, and the offer"
    OFFER = "create the Integration"
    DELIVER = "create and repair Secret, MessagingUser and Connection"


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions in their order, and the conditions that hold when none is left to do.

    ``because`` is the condition that explains why the pair is not delivered. ``conditions`` None reports nothing,
    because nothing is known for sure. ``delivered`` is what exists for the pair, ``host`` the messaging endpoint that
    the connection leads to. ``wake_at`` is when something is to be done although nothing changes. ``bounded`` means
    that only so many such plans a minute are carried out.
    """

    step: Step
    actions: tuple[Action, ...] = ()
    conditions: tuple[Condition, ...] | None = None
    delivered: Delivered = field(default_factory=Delivered)
    host: str | None = None
    because: Condition | None = None
    rotation: RotationStatus | None = None
    wake_at: datetime | None = None
    bounded: bool = False


def plan_pair(facts: Facts, templates: Templates) -> Plan:
    """Return the plan for a pair. It is called again after each round of actions, until it has none."""
    try:
        match evaluate(facts):
            case Hold(because, paired_only):
                conditions = _held(facts, because, paired_only=paired_only)
                return Plan(Step.HOLD, (), conditions, delivered_state(facts), because=because)
            case Offer(space, syndesis):
                return Plan(Step.OFFER, (offer(facts, space, syndesis, templates),))
            case TakeDown(because, withdraw, bounded):
                step = Step.WITHDRAW if withdraw else Step.REMOVE
                actions = plan_teardown(facts, because.message, templates, withdraw=withdraw)
                conditions = not_ready(facts, because)
                bounded = bounded and bool(actions)
                return Plan(step, actions, conditions, delivered_state(facts), because=because, bounded=bounded)
            case Deliver(pair):
                return plan_delivery(pair, templates)
    except TemplateRefused as error:  # of the Integration; those of its children are reported on their side
        refused = Condition("Paired", "Unknown", "TemplateRefused", str(error))
        return Plan(Step.HOLD, (), (refused,), delivered_state(facts))


def postponed(plan: Plan, facts: Facts, seconds: float) -> Plan:
    """Return the plan for a pair whose teardown waits for its turn."""
    why = plan.because.message if plan.because is not None else ""
    message = f"{why}; other pairs are taken down first (setting teardowns_per_minute), to stop it set spec.suspend"
    held = Condition("Paired", "Unknown", "TeardownPostponed", message)
    wake_at = facts.now + timedelta(seconds=seconds)
    return Plan(Step.HOLD, (), (held,), delivered_state(facts), because=held, wake_at=wake_at)


def plan_unpaired(check: Check) -> Plan:
    """Return the plan for an Integration without a pair: to report why."""
    return Plan(Step.HOLD, (), (condition("Paired", check),))


def plan_duplicate(used: Integration) -> Plan:
    """Return the plan for a second Integration of a pair: to report which one is used."""
    name, namespace = used.ref.name, used.ref.namespace
    message = (
        f"Integration {used.ref} is used for this pair; delete it (kubectl delete integration {name} -n {namespace}) "
        "and this one takes its place"
    )
    return plan_unpaired(Check.failure("Duplicate", message))


def plan_delivery(pair: DeliverablePair, templates: Templates) -> Plan:
    """Plan the three steps: credential, user, connection. A step waits for another only if it needs it.

    A binding has no connection.
    """
    facts = pair.facts
    mode = delivery_mode(facts)
    transport = transport_of(pair)
    serving = readiness.can_serve(pair.space, facts.authentication_type)
    if serving and isinstance(transport, Check):
        serving = transport  # nothing could use the login

    credential = plan_credential(pair, mode.user, serving, templates)
    steps = [StepPlan(credential.check, credential.actions)]
    if credential.credential is not None:
        user = plan_user(pair, credential.credential, mode.user, serving, templates)
        steps.append(user)
        connects = user.check or (_login_exists_or_comes(pair, user) and not previous_users(pair))
        if connects and pair.syndesis is not None and mode.connection is not None:
            steps.append(
                plan_connection(
                    pair,
                    pair.syndesis,
                    credential.credential,
                    mode.connection,
                    transport,
                    templates,
                    user_ready=bool(user.check),
                )
            )
    actions = [*upkeep(facts, templates), *offers_that_give_way(facts)]
    for step in steps:
        actions += step.actions
    sides = sides_of(facts.pair)
    ready = len(steps) == len(sides) and all(step.check for step in steps)
    rotation = _rotation(pair, credential.credential, mode.user, templates, settled=ready and not actions)
    actions += rotation.actions
    if ready:
        actions += _delete_own_secret(pair)
    if not any(isinstance(action, EnsureRemote) for action in actions):
        actions += release_finalizer(pair.integration, pair.remote)

    conditions = [condition("Paired", facts.pairing), *_side_conditions(sides, steps), mode.condition]
    if (verified := pair.remote.connection.verified) is not None:
        conditions.append(verification(verified))
    conditions += rotation.conditions
    host = transport.host if isinstance(transport, Transport) else None
    return Plan(
        Step.DELIVER,
        tuple(with_one_finalizer(actions)),
        tuple(conditions),
        delivered_state(facts, transport),
        host,
        rotation=rotation.status,
        wake_at=rotation.wake_at,
    )


def not_ready(facts: Facts, because: Condition) -> tuple[Condition, ...]:
    """Return all conditions of a pair that is not delivered. Paired may be True; the others have one reason."""
    paired = because if because.type == "Paired" else condition("Paired", facts.pairing)
    sides = sides_of(facts.pair)
    return (paired, *(Condition(side, because.status, because.reason, because.message) for side in sides))


def sides_of(pair: Pair) -> tuple[ConditionType, ...]:
    """Return the conditions of the steps of a pair's delivery, in order."""
    return SIDES_OF_BINDING if pair.is_binding else SIDES


def _held(facts: Facts, because: Condition | None, *, paired_only: bool) -> tuple[Condition, ...] | None:
    if because is None:
        return None
    return (because,) if paired_only else not_ready(facts, because)


def _side_conditions(sides: tuple[ConditionType, ...], steps: list[StepPlan]) -> list[Condition]:
    """Return the conditions of the steps, and of those that wait for the last of them."""
    conditions = [condition(side, step.check) for side, step in zip(sides, steps, strict=False)]
    return conditions + [waiting(side, sides[len(steps) - 1]) for side in sides[len(steps) :]]


def _login_exists_or_comes(pair: DeliverablePair, user: StepPlan) -> bool:
    """Check if the pair has a login, or one is being created."""
    exists = pair.children.user is not None or not pair.remote.user.absent
    return exists or any(isinstance(action, (Apply, EnsureRemote)) for action in user.actions)


def _rotation(
    pair: DeliverablePair, credential: Credential | None, delivery: UserDelivery, templates: Templates, *, settled: bool
) -> RotationPlan:
    """Plan the rotation; a template that is refused is reported on its own side."""
    if credential is None:
        return RotationPlan()
    try:
        return plan_rotation(pair, credential, delivery, templates, settled=settled)
    except TemplateRefused as error:
        return RotationPlan((Condition("Rotating", "False", "TemplateRefused", str(error)),))


def _delete_own_secret(pair: DeliverablePair) -> tuple[Action, ...]:
    """Delete our own Secret if the pair uses another, and is ready: one that is missing for a moment costs no login."""
    secret = pair.children.secret
    if pair.integration.spec.credentials_secret_ref and secret and not secret.deleting:
        return (Delete.of("Secret", secret, "spec.credentialsSecretRef names another"),)
    return ()
