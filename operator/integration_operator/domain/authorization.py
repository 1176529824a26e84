"""What an Integration may ask of an AddressSpace of another namespace: the giver bounds it.

A receiver that asks for more is refused, and keeps the login that it has. A giver that allows less than a login has
ends it.
"""

from __future__ import annotations

from collections.abc import Iterator

from integration_operator.api import names
from integration_operator.domain import desired, naming
from integration_operator.domain.actions import Action, Remove, Withdraw
from integration_operator.domain.facts import Facts
from integration_operator.domain.live import Live
from integration_operator.domain.verdict import Verdict


def refusal(facts: Facts) -> Verdict | None:
    """Return why the Integration asks for more than the giver allows, None if it does not."""
    beyond = _beyond(facts)
    if not beyond or facts.space is None:
        return None
    allowed = facts.space.allowed_operations
    return Verdict.deny(
        "AuthorizationNotAllowed",
        f"spec.authorization asks for {', '.join(sorted(beyond))}, and AddressSpace {facts.space.ref} allows other "
        f"namespaces only {','.join(sorted(allowed)) or 'nothing'}; ask for less, or its owner must set its annotation "
        f"{names.ALLOWED_OPERATIONS} to {','.join(sorted(allowed | beyond))}",
    )


def closing(facts: Facts) -> Iterator[Action]:
    """Yield what ends a login that has more rights than the giver allows. Of one over REST the rights are not seen."""
    if facts.space is None:
        return
    if facts.user is not None and not facts.user.deleting and _rights(facts.user) - facts.space.allowed_operations:
        allowed = ", ".join(sorted(facts.space.allowed_operations)) or "nothing"
        yield Remove.of("MessagingUser", facts.user, f"the giver allows only {allowed}")
    known = facts.remote.user
    if known.exists is not False and known.delivery is not None:
        username = known.id or facts.login
        user, why = naming.user_ref(facts.pair, username), "its rights may exceed what the giver allows"
        yield Withdraw("MessagingUser", known.delivery, facts.pair, user, known, why, username, facts.space)


def _beyond(facts: Facts) -> frozenset[str]:
    """Return the operations that are asked for and not allowed; within one namespace all are."""
    if facts.space is None or facts.integration is None or not facts.crosses_namespaces:
        return frozenset()
    return desired.operations(facts.integration) - facts.space.allowed_operations


def _rights(user: Live) -> frozenset[str]:
    """Return the operations that a MessagingUser may do."""
    rules = (user.document.get("spec") or {}).get("authorization") or ()
    return frozenset(operation for rule in rules for operation in rule.get("operations") or ())
