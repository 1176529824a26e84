"""From the facts of a pair to what is to be done, and why: the same function for ``run``, ``render`` and ``explain``.

``decide`` is pure. It says all that can be done at once, in the order in which it must be done: the Secret before the
user that gets its password, the user before the connection that uses it. Taking down closes the login first, and keeps
the Secret until the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from integration_operator.domain import naming
from integration_operator.domain.actions import Action, Child, Finalize, LetGo, Made, Remove, Withdraw
from integration_operator.domain.choice import choose
from integration_operator.domain.conditions import ORDER, Finding, without_effect
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
    uri: str | None = None
    secret: str | None = None
    source: str | None = None
    host: str | None = None


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
    """Decide what to do for a pair now; called again after each round of actions, until there is nothing left to do."""
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
    """Say why an Integration stands for no pair."""
    return Decision(Step.HOLD, (), (Finding.of("Paired", reason),))


def duplicate_of(first: Integration) -> Decision:
    """Say on a second Integration for a pair which one is used."""
    name, namespace = first.ref.name, first.ref.namespace
    message = (
        f"Integration {first.ref} is used for this pair; delete it (kubectl delete integration {name} -n {namespace}) "
        "and this one takes its place"
    )
    return unpaired(Verdict.deny("Duplicate", message))


SAID_OF_ALL_SIDES = frozenset({"AddressSpaceMoved"})
"""Reasons to hold that read the same, condition by condition, as when what stands is taken down for them."""


def _hold(facts: Facts, standing: Standing) -> Decision:
    """Do nothing, and say why if there is something to say."""
    if standing.finding is None:
        return Decision(Step.HOLD, (), None, _delivered(facts))
    known = standing.type != "Paired" or standing.status == "False" or standing.reason in SAID_OF_ALL_SIDES
    findings = _not_ready(facts, standing) if known else (standing.finding,)
    return Decision(Step.HOLD, (), findings, _delivered(facts))


def _take_down(facts: Facts, standing: Standing, templates: Templates) -> Decision:
    """Close the login first, delete the connection independently of it, and the Secret last.

    No side waits for another: a Syndesis server that is down keeps no login open. The Secret stays until both are
    asked to go, and are gone over REST, so that what is enabled again meanwhile finds its credential.
    """
    integration = facts.integration
    withdraw = standing.step is Step.WITHDRAW
    remote = [*_user_over_rest(facts, standing, withdraw=withdraw), *_connection_over_rest(facts, standing, withdraw)]
    users = [("MessagingUser", live) for live in (facts.user, *facts.former_users)]
    children: list[tuple[Child, Live | None]] = [*users, ("Connection", facts.connection)]  # type: ignore[list-item]
    if not any(isinstance(action, Withdraw) for action in remote):
        children.append(("Secret", facts.secret))
    removed = [
        Remove.of(kind, live, standing.message)
        for kind, live in children
        if live is not None and not live.deleting and not (live.retained and _may_retain(facts, withdraw))
    ]
    actions: list[Action] = sorted((*removed, *remote), key=_closes_the_login_first)
    if withdraw:
        actions += [
            Remove.of("Integration", offer.live, standing.message)
            for offer in (integration, *facts.duplicates)
            if offer is not None and offer.given_up and not offer.live.deleting
        ]
    else:
        actions += [*upkeep(facts, templates), *_offers_that_give_way(facts)]
    if integration is not None and integration.holds_rest_state and facts.remote.nothing:
        actions.append(Finalize(integration.ref, integration.live.uid, False, "nothing is left over REST"))
    reachable = tuple(
        action
        for action in actions
        if isinstance(action, (LetGo, Finalize)) or action.ref.namespace not in facts.terminating
    )
    return Decision(standing.step, reachable, _not_ready(facts, standing), _delivered(facts))


_TAKEN_DOWN: tuple[Made, ...] = ("MessagingUser", "Connection", "Secret")


def _closes_the_login_first(action: Action) -> int:
    return _TAKEN_DOWN.index(action.kind)


def _may_retain(facts: Facts, withdraw: bool) -> bool:
    """Check if what was delivered with `Retain` stays: never once its pair is no more or lost its consent."""
    integration = facts.integration
    deleting = integration is None or integration.spec.deletion_policy != "Retain" or integration.live.deleting
    return deleting and not withdraw


def _user_over_rest(facts: Facts, standing: Standing, *, withdraw: bool) -> Iterator[Action]:
    """Close the login that was made over REST.

    What went with its AddressSpace needs no request. If AddressSpaces are not shown at all, its realm is unknown: it
    waits for them. Across namespaces a login over REST is never retained: without its Integration
    nothing would show that it stands, and the giver could not withdraw it any more.
    """
    integration, side = facts.integration, facts.remote.user
    if integration is None or side.exists is False:
        return
    chosen = choose(facts).user
    how = side.delivery or (chosen if chosen != "native" else None)
    username = side.id or facts.login
    user = naming.user_ref(facts.pair, username)
    if how is None or _space_is_gone(facts):
        yield LetGo("MessagingUser", user, "the user went with its AddressSpace" if how else standing.message)
    elif facts.overdue or (_is_retained(integration, withdraw) and not facts.crosses_namespaces):
        yield LetGo("MessagingUser", user, standing.message, left_behind=facts.overdue)
    elif facts.space is not None:
        yield Withdraw("MessagingUser", how, facts.pair, user, side, standing.message, username, facts.space)


def _connection_over_rest(facts: Facts, standing: Standing, withdraw: bool) -> Iterator[Action]:
    """Delete the connection that was made over REST; a Syndesis takes its database with it."""
    integration, side, pair = facts.integration, facts.remote.connection, facts.pair
    if integration is None or side.exists is False:
        return
    connection = naming.connection_ref(pair)
    syndesis_gone = facts.syndesis is None or facts.syndesis.deleting or pair.syndesis.namespace in facts.terminating
    if syndesis_gone:
        yield LetGo("Connection", connection, "the connection went with its Syndesis")
    elif facts.overdue or _is_retained(integration, withdraw):
        yield LetGo("Connection", connection, standing.message, left_behind=facts.overdue)
    else:
        yield Withdraw("Connection", "rest", pair, connection, side, standing.message, login=facts.login)


def _is_retained(integration: Integration, withdraw: bool) -> bool:
    """Check if the deleted Integration asked for what it delivered to stay."""
    return integration.spec.deletion_policy == "Retain" and integration.live.deleting and not withdraw


def _space_is_gone(facts: Facts) -> bool:
    """Check if the AddressSpace is known to be gone, and its realm with it."""
    if facts.pair.space.namespace in facts.terminating:
        return True
    shown = "AddressSpace" not in facts.kinds.absent | facts.kinds.out_of_sync and not facts.kinds.upgrading
    return facts.space is None and shown


def _deliver(facts: Facts, templates: Templates) -> Decision:
    delivery = Delivery(facts, templates)
    delivery.go()
    actions = (*upkeep(facts, templates), *_offers_that_give_way(facts), *delivery.actions)
    findings = (Finding.of("Paired", facts.allowed), *delivery.findings)
    return Decision(Step.DELIVER, actions, findings, _delivered(facts, delivery.transport))


def _offers_that_give_way(facts: Facts) -> list[Action]:
    """Delete the offers in which no user wrote, once a user has written an Integration for the same pair."""
    if facts.integration is None or facts.integration.untouched:
        return []
    why = f"Integration {facts.integration.ref} is used for this pair"
    given_way = (d.live for d in facts.duplicates if d.untouched and not d.live.deleting)
    return [Remove.of("Integration", live, why) for live in given_way]


def _not_ready(facts: Facts, standing: Standing) -> tuple[Finding, ...]:
    """Return all conditions of a pair that is not delivered: Paired may still be True, the others have one reason."""
    assert standing.finding is not None
    paired = standing.finding if standing.type == "Paired" else Finding.of("Paired", facts.allowed)
    sides = tuple(
        Finding(side, standing.status, standing.reason, standing.message) for side in ORDER if side != "Paired"
    )
    return (paired, *sides, *without_effect(facts.integration))


def _delivered(facts: Facts, transport: Transport | Verdict | None = None) -> Delivered:
    """Return what stands for the pair now."""
    user, connection, integration = facts.user, facts.connection, facts.integration
    uri = transport.uri if isinstance(transport, Transport) else None
    before = integration.space_read_from if integration else None
    return Delivered(
        username=(user.document.get("spec") or {}).get("username") if user else facts.login,
        user=user.ref if user else None,
        user_over_rest=facts.remote.user if facts.remote.user.exists else None,
        connection_over_rest=facts.remote.connection if facts.remote.connection.exists else None,
        connection=connection.ref if connection else None,
        connection_id=(connection.document.get("status") or {}).get("connectionId") if connection else None,
        uri=uri or (integration.delivered_uri if integration else None),
        secret=secret.ref.name if (secret := facts.provided or facts.secret) else None,
        source=facts.kinds.source if facts.space and facts.allowed else before,
        host=transport.host if isinstance(transport, Transport) else None,
    )
