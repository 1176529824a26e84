"""From the facts of a pair to what is to be done, and why: the same function for ``run``, ``render`` and ``explain``.

``decide`` is pure. It says all that can be done at once, in the order in which it must be done: the Secret before the
user that gets its password, the user before the connection that uses it; taking down goes the other way round, so
that a crash in between never leaves a login whose password is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from integration_operator.domain import naming
from integration_operator.domain.actions import Action, Child, Finalize, LetGo, Remove, Withdraw
from integration_operator.domain.choice import choose
from integration_operator.domain.conditions import ORDER, Finding
from integration_operator.domain.delivering import Delivery
from integration_operator.domain.desired import TemplateRefused, Templates
from integration_operator.domain.facts import Facts
from integration_operator.domain.integration import Integration
from integration_operator.domain.live import Live
from integration_operator.domain.offering import offer, upkeep
from integration_operator.domain.pair import Ref
from integration_operator.domain.readiness import Transport
from integration_operator.domain.remote import Remote
from integration_operator.domain.standing import Standing, Step, stand
from integration_operator.domain.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Delivered:
    """What stands for a pair, for the Integration's status."""

    username: str | None = None
    user: Ref | None = None
    user_over_rest: Remote | None = None
    connection: Ref | None = None
    connection_id: str | None = None
    connection_over_rest: Remote | None = None
    secret: str | None = None
    source: str | None = None
    host: str | None = None
    realm: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Actions in the order to do them, and the conditions that hold once there are none left to do.

    ``findings`` None says nothing of the pair, because nothing is known for sure. ``delivered`` is what stands.
    """

    step: Step
    actions: tuple[Action, ...] = ()
    findings: tuple[Finding, ...] | None = None
    delivered: Delivered = field(default_factory=Delivered)


def decide(facts: Facts, templates: Templates) -> Decision:
    """What is to be done for a pair now; asked again after each round of actions, until there is nothing left to do."""
    standing = stand(facts)
    try:
        match standing.step:
            case Step.HOLD:
                return _hold(facts, standing)
            case Step.OFFER:
                return Decision(Step.OFFER, (offer(facts, templates),))
            case Step.REMOVE | Step.WITHDRAW:
                return _take_down(facts, standing, templates)
            case Step.DELIVER:
                return _deliver(facts, templates)
    except TemplateRefused as error:  # of the Integration; those of its children are said on their side
        return Decision(
            Step.HOLD, (), (Finding("Paired", "Unknown", "TemplateRefused", str(error)),), _delivered(facts)
        )


def unpaired(reason: Verdict) -> Decision:
    """Nothing to do for an Integration that stands for no pair."""
    return Decision(Step.HOLD, (), (Finding.of("Paired", reason),))


def duplicate_of(first: Integration) -> Decision:
    """A second Integration for a pair does nothing but say so."""
    return unpaired(Verdict.deny("Duplicate", f"Integration {first.ref} stands for this pair already"))


def _hold(facts: Facts, standing: Standing) -> Decision:
    """Do nothing, and say why where there is something to say."""
    findings = (standing.finding,) if standing.finding is not None else None
    return Decision(Step.HOLD, (), findings, _delivered(facts))


def _take_down(facts: Facts, standing: Standing, templates: Templates) -> Decision:
    """Remove connection, user and Secret, in this order; and the offer itself where the pair is no more."""
    integration = facts.integration
    withdraw = standing.step is Step.WITHDRAW
    policy = integration.spec.deletion_policy if integration is not None else None
    may_retain = not withdraw and (integration is None or policy != "Retain" or integration.live.deleting)
    actions: list[Action] = [*_over_rest(facts, standing, withdraw=withdraw)]
    actions += [
        Remove.of(kind, live, standing.message)
        for kind, live in _children(facts)
        if live.ours and not live.deleting and not (may_retain and live.retained)
    ]
    if withdraw:
        actions += [
            Remove.of("Integration", made.live, standing.message)
            for made in (integration, *facts.duplicates)
            if made is not None and made.offered and not made.live.deleting
        ]
    else:
        actions += upkeep(facts, templates)
    if integration is not None and integration.holds_rest_state and facts.remote.nothing:
        actions.append(Finalize(integration.ref, integration.live.uid, False, "nothing is left over REST"))
    reachable = tuple(
        action
        for action in actions
        if isinstance(action, (LetGo, Finalize)) or action.ref.namespace not in facts.terminating
    )
    return Decision(standing.step, reachable, _not_ready(facts, standing), _delivered(facts))


def _over_rest(facts: Facts, standing: Standing, *, withdraw: bool) -> Iterator[Action]:
    """Take down what stands over REST, the connection before the user that it logs in as.

    What went with its platform needs no request: a Syndesis takes its database with it, an AddressSpace its realm.
    What is to be retained, or could not be reached for too long while the Integration waits in deletion, is let go.
    Where AddressSpaces are not shown at all, nobody knows which realm the user is in: it waits for them.
    """
    integration, state, pair = facts.integration, facts.remote, facts.pair
    if integration is None or state.nothing:
        return
    retained = integration.spec.deletion_policy == "Retain" and integration.live.deleting and not withdraw
    syndesis_gone = facts.syndesis is None or facts.syndesis.deleting or pair.syndesis.namespace in facts.terminating
    connection = naming.connection_ref(pair)
    if state.connection.exists is not False:
        if syndesis_gone:
            yield LetGo("Connection", connection, "the connection went with its Syndesis")
        elif retained or facts.overdue:
            yield LetGo("Connection", connection, standing.message, left_behind=facts.overdue)
        else:
            yield Withdraw("Connection", "rest", pair, connection, state.connection, standing.message)
    if state.user.exists is False:
        return
    chosen = choose(facts).user
    how = state.user.delivery or (chosen if chosen != "native" else None)
    username = state.user.id or facts.login
    user = naming.user_ref(pair, username)
    if how is None or _space_is_gone(facts):
        yield LetGo("MessagingUser", user, "the user went with its AddressSpace" if how else standing.message)
    elif retained or facts.overdue:
        yield LetGo("MessagingUser", user, standing.message, left_behind=facts.overdue)
    elif facts.space is not None:
        yield Withdraw("MessagingUser", how, pair, user, state.user, standing.message, username, facts.space)


def _space_is_gone(facts: Facts) -> bool:
    """Whether the AddressSpace is known to be gone, and its realm with it."""
    if facts.pair.space.namespace in facts.terminating:
        return True
    shown = "AddressSpace" not in facts.kinds.absent | facts.kinds.out_of_sync and not facts.kinds.upgrading
    return facts.space is None and shown


def _deliver(facts: Facts, templates: Templates) -> Decision:
    delivery = Delivery(facts, templates)
    delivery.go()
    actions = (*upkeep(facts, templates), *delivery.actions)
    findings = (Finding.of("Paired", facts.allowed), *delivery.findings)
    return Decision(Step.DELIVER, actions, findings, _delivered(facts, delivery.transport))


def _not_ready(facts: Facts, standing: Standing) -> tuple[Finding, ...]:
    """All conditions of a pair that is not delivered: Paired may still be True, the others have one reason."""
    assert standing.finding is not None
    paired = standing.finding if standing.type == "Paired" else Finding.of("Paired", facts.allowed)
    return (paired, *(Finding(side, "False", standing.reason, standing.message) for side in ORDER if side != "Paired"))


def _children(facts: Facts) -> list[tuple[Child, Live]]:
    """What stands for the pair, in the order in which it is taken down."""
    known: list[tuple[Child, Live | None]] = [
        ("Connection", facts.connection),
        ("MessagingUser", facts.user),
        *((stray.kind, stray.live) for stray in facts.strays),
        ("Secret", facts.secret),
    ]
    return [(kind, live) for kind, live in known if live is not None]


def _delivered(facts: Facts, transport: Transport | Verdict | None = None) -> Delivered:
    """What stands for the pair now."""
    user = facts.user if facts.user and facts.user.ours else None
    before = facts.integration.space_read_from if facts.integration else None
    connection = facts.connection if facts.connection and facts.connection.ours else None
    secret = facts.provided or (facts.secret if facts.secret and facts.secret.ours else None)
    return Delivered(
        username=user.document["spec"].get("username") if user else facts.login,
        user=user.ref if user else None,
        user_over_rest=facts.remote.user if facts.remote.user.exists else None,
        connection_over_rest=facts.remote.connection if facts.remote.connection.exists else None,
        connection=connection.ref if connection else None,
        connection_id=(connection.document.get("status") or {}).get("connectionId") if connection else None,
        secret=secret.ref.name if secret else None,
        source=facts.kinds.source if facts.space is not None else before,
        host=transport.host if isinstance(transport, Transport) else None,
        realm=facts.space.realm if facts.space else None,
    )
