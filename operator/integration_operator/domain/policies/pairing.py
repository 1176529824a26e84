"""Pairing rules: which AddressSpace may be paired with which consumer, and why.

The first rule that passes makes the pair; a setting chooses the rules and their order. Across namespaces the Syndesis
may limit from which namespaces it accepts offers; a binding is never offered.

A failed check contains only the two names. Whoever may write an Integration reads it, and must not learn from it
whether an AddressSpace of another namespace exists, or what its annotations say.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from integration_operator.api import names
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace, Consumer


@dataclass(frozen=True, slots=True)
class Rule:
    """A pairing rule: ``allows`` returns a passed check or None, ``denial`` the failed check."""

    allows: Callable[[AddressSpace, Consumer], Check | None]
    denial: Callable[[Pair], Check]


def _same_namespace(space: AddressSpace, consumer: Consumer) -> Check | None:
    """Allow pairs within one namespace."""
    if space.ref.namespace != consumer.ref.namespace:
        return None
    return Check.success("SameNamespace", f"Both are in namespace {space.ref.namespace}")


def _other_namespace(pair: Pair) -> Check:
    return Check.failure(
        "OtherNamespace",
        f"AddressSpace {pair.space} and {pair.kind} {pair.consumer} are not in one namespace, as this rule requires",
    )


def _allowed_namespaces(space: AddressSpace, consumer: Consumer) -> Check | None:
    """Allow pairs whose AddressSpace names the consumer's namespace: the owner of the messages consents."""
    pattern = space.allowed_namespaces.match(consumer.ref.namespace)
    if pattern is None:
        return None
    return Check.success("NamespaceAllowed", f"AddressSpace {space.ref} allows namespace {consumer.ref.namespace}")


def _namespace_not_allowed(pair: Pair) -> Check:
    return Check.failure(
        "NamespaceNotAllowed",
        f"AddressSpace {pair.space} does not exist, or does not allow namespace {pair.consumer.namespace}; its owner "
        f"must add {pair.consumer.namespace} to its annotation {names.ALLOWED_NAMESPACES}, beside what is in it",
    )


def _created_by(space: AddressSpace, consumer: Consumer) -> Check | None:
    """Allow pairs that one user created, as the proof of concept did (its pkg/fuse/consumer.go:59).

    It is not a default rule: a tenant can write the annotation on its own Syndesis. Nothing says who created a binding.
    """
    if space.created_by is None or space.created_by != consumer.created_by:
        return None
    return Check.success("SameCreator", f"Both were created by {space.created_by}")


def _other_creator(pair: Pair) -> Check:
    return Check.failure(
        "OtherCreator",
        f"AddressSpace {pair.space} does not exist, or its annotation {names.ENMASSE_CREATED_BY} is not the "
        f"{names.SYNDESIS_CREATED_BY} of {pair.kind} {pair.consumer}",
    )


RULES: dict[str, Rule] = {
    "same-namespace": Rule(_same_namespace, _other_namespace),
    "allowed-namespaces": Rule(_allowed_namespaces, _namespace_not_allowed),
    "created-by": Rule(_created_by, _other_creator),
}
"""All rules, by the name that the settings use."""

DEFAULT_RULES = ("same-namespace", "allowed-namespaces")


def rules_named(text: str) -> tuple[str, ...]:
    """Return the rules in a comma-separated text, in its order. Raises ``ValueError``."""
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    if unknown := [rule for rule in named if rule not in RULES]:
        raise ValueError(f"there is no rule {unknown[0]!r}; there are {', '.join(RULES)}")
    if not named:
        raise ValueError(f"name at least one of {', '.join(RULES)}")
    return named


def accepts(space: AddressSpace, consumer: Consumer) -> Check:
    """Check that the receiver accepts offers from the AddressSpace's namespace; it always accepts its own."""
    namespace = space.ref.namespace
    accepted = consumer.accept_from
    if namespace == consumer.ref.namespace or accepted is None or accepted.match(namespace):
        return Check.success("NamespaceAccepted", f"Syndesis {consumer.ref} accepts offers from namespace {namespace}")
    return Check.failure(
        "NamespaceNotAccepted",
        f"Syndesis {consumer.ref} does not accept offers from namespace {namespace}; its owner must add {namespace} to "
        f"its annotation {names.ACCEPT_FROM} (now {str(accepted)!r})",
    )


def checks(space: AddressSpace, consumer: Consumer, rules: Sequence[str]) -> list[tuple[str, Check]]:
    """Return the check of each rule, in order, up to the first that passes, then that of the receiver if it fails.

    The last one decides.
    """
    results: list[tuple[str, Check]] = []
    pair = Pair(space.ref, consumer.ref, consumer.kind)
    for name in rules:
        allowed = RULES[name].allows(space, consumer)
        results.append((name, allowed or RULES[name].denial(pair)))
        if allowed:
            accepted = accepts(space, consumer)
            return results if accepted else [*results, ("accept-from", accepted)]
    return results


def may_pair(space: AddressSpace, consumer: Consumer, rules: Sequence[str]) -> Check:
    """Check that a pair is allowed. A failed check says what would make the last rule pass."""
    results = checks(space, consumer, rules)
    return results[-1][1] if results else NO_RULE


def denied(pair: Pair, rules: Sequence[str]) -> Check:
    """Return the check for an AddressSpace that does not exist: the same as for one that does not allow the pair."""
    return RULES[rules[-1]].denial(pair) if rules else NO_RULE


NO_RULE = Check.failure("NoRule", "No pairing rule is in use; the administrator must set pairing_rules")
