"""When an AddressSpace and a Syndesis may be paired: rules that answer yes or no, and why.

A rule says yes for itself; the first yes of the chosen rules makes the pair, and without one every no is a reason.
The chosen rules and their order are a setting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from integration_operator.api import names
from integration_operator.domain.platforms import AddressSpace, Syndesis
from integration_operator.domain.verdict import Verdict

Rule = Callable[[AddressSpace, Syndesis], Verdict]


def same_namespace(space: AddressSpace, syndesis: Syndesis) -> Verdict:
    """Allow within one namespace: nothing crosses a border unasked."""
    if space.ref.namespace == syndesis.ref.namespace:
        return Verdict.allow("SameNamespace", f"both are in namespace {space.ref.namespace}")
    return Verdict.deny("OtherNamespace", f"AddressSpace {space.ref} and Syndesis {syndesis.ref} are in two namespaces")


def allowed_namespaces(space: AddressSpace, syndesis: Syndesis) -> Verdict:
    """Allow where the AddressSpace's annotation names the Syndesis's namespace: the messages' owner agreed."""
    wanted = syndesis.ref.namespace
    for pattern in space.allowed_namespaces:
        if fnmatchcase(wanted, pattern):
            return Verdict.allow("NamespaceAllowed", f"AddressSpace {space.ref} allows namespaces {pattern!r}")
    return Verdict.deny(
        "NamespaceNotAllowed", f"annotate AddressSpace {space.ref} with {names.ALLOWED_NAMESPACES}={wanted}"
    )


def created_by(space: AddressSpace, syndesis: Syndesis) -> Verdict:
    """Allow where one person made both, as the proof of concept did (its pkg/fuse/consumer.go:59).

    Not a default: a tenant can write the annotation on its own Syndesis.
    """
    if space.created_by is None:
        return Verdict.deny("CreatorUnknown", f"AddressSpace {space.ref} has no annotation {names.ENMASSE_CREATED_BY}")
    if space.created_by == syndesis.created_by:
        return Verdict.allow("SameCreator", f"both were created by {space.created_by}")
    return Verdict.deny(
        "OtherCreator", f"Syndesis {syndesis.ref} has no annotation {names.SYNDESIS_CREATED_BY}={space.created_by}"
    )


RULES: dict[str, Rule] = {
    "same-namespace": same_namespace,
    "allowed-namespaces": allowed_namespaces,
    "created-by": created_by,
}
"""All rules, by the name that the settings use."""

DEFAULT_RULES = ("same-namespace", "allowed-namespaces")


def rules_named(text: str) -> tuple[str, ...]:
    """The rules that a comma-separated text names, in its order. Raises ``ValueError``."""
    named = tuple(part.strip() for part in text.split(",") if part.strip())
    if unknown := [rule for rule in named if rule not in RULES]:
        raise ValueError(f"there is no rule {unknown[0]!r}; there are {', '.join(RULES)}")
    if not named:
        raise ValueError(f"name at least one of {', '.join(RULES)}")
    return named


def verdicts(space: AddressSpace, syndesis: Syndesis, rules: Sequence[str]) -> list[tuple[str, Verdict]]:
    """What each chosen rule says, in order, up to and including the first yes."""
    said: list[tuple[str, Verdict]] = []
    for name in rules:
        verdict = RULES[name](space, syndesis)
        said.append((name, verdict))
        if verdict:
            break
    return said


def may_pair(space: AddressSpace, syndesis: Syndesis, rules: Sequence[str]) -> Verdict:
    """The one answer of all chosen rules; a no names what would make the last of them say yes."""
    said = verdicts(space, syndesis, rules)
    if not said:
        return Verdict.deny("NoRule", "no pairing rule is set")
    return said[-1][1]
