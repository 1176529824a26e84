"""What an Integration may ask of an AddressSpace in another namespace: the giver bounds it.

A receiver that asks for more is refused, and keeps the login that it has. A giver that allows less than a login has
ends the login.
"""

from __future__ import annotations

from integration_operator.api import names
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.facts import DeliverablePair
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.platforms import AddressSpace
from integration_operator.runtime.live_object import LiveObject

DEFAULT_OPERATIONS = ("send", "recv")
"""What an Integration asks for without ``spec.authorization``."""


def operations(integration: Integration) -> frozenset[str]:
    """Return the operations that an Integration asks for."""
    rules = integration.spec.authorization
    return (
        frozenset(operation for rule in rules for operation in rule.operations)
        if rules
        else frozenset(DEFAULT_OPERATIONS)
    )


def may_ask(pair: DeliverablePair) -> Check:
    """Check that the Integration asks for no more than the giver allows. Within one namespace everything is allowed."""
    allowed = pair.space.allowed_operations
    beyond = operations(pair.integration) - allowed if pair.pair.crosses_namespaces else frozenset()
    if not beyond:
        return Check.success("AuthorizationAllowed")
    return Check.failure(
        "AuthorizationNotAllowed",
        f"spec.authorization asks for {', '.join(sorted(beyond))}, and AddressSpace {pair.space.ref} allows other "
        f"namespaces only {','.join(sorted(allowed)) or 'nothing'}; ask for less, or its owner must set its annotation "
        f"{names.ALLOWED_OPERATIONS} to {','.join(sorted(allowed | beyond))}",
    )


def exceeds(user: LiveObject, space: AddressSpace) -> bool:
    """Check if a MessagingUser may do more than the giver allows."""
    rules = (user.document.get("spec") or {}).get("authorization") or ()
    granted = frozenset(operation for rule in rules for operation in rule.get("operations") or ())
    return bool(granted - space.allowed_operations)
