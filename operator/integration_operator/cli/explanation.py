"""Explanations: what the operator would do for each pair and each Integration, and why.

They are the operator's own plan. Secrets, MessagingUsers and Connections are not read, so that the plan ends at
"deliver": how far a delivery is, the conditions of the Integration say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from integration_operator.api import names
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace, Binding
from integration_operator.domain.plan.manifests import Templates
from integration_operator.domain.plan.plan import Step
from integration_operator.domain.policies import pairing, readiness
from integration_operator.domain.policies.integrations import rank

if TYPE_CHECKING:
    from integration_operator.cli.reading import Reading
    from integration_operator.controllers.integration.dry_run import DryRun

STEPS = {
    "HOLD": "leave everything as it is",
    "REMOVE": "nothing is delivered",
    "WITHDRAW": "remove the offer, and what was delivered",
    "OFFER": "create the Integration",
    "DELIVER": "create Secret, MessagingUser and Connection, and keep them up to date",
}
"""What each step of a plan means to a user."""
DELIVER_BINDING = "create Secret and MessagingUser, and keep them up to date"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the operator would do: the step of its plan, and the reason if there is one."""

    step: str
    text: str
    reason: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known of one pair, or of one Integration that has none."""

    pair: Pair | None
    rules: Sequence[tuple[str, Check]] = ()
    space: Check | None = None
    syndesis: Check | None = None
    integrations: tuple[Integration, ...] = ()
    outcome: Outcome | None = None

    @property
    def paired(self) -> bool:
        """True if the two are a pair."""
        return bool(self.rules) and bool(self.rules[-1][1])

    @property
    def obstacles(self) -> list[Check]:
        """The checks that failed: every rule's if there is no pair, else those of readiness."""
        checks = (self.space, self.syndesis) if self.paired else [check for _, check in self.rules]
        return [check for check in checks if check is not None and not check]


def explanations(
    dry_run: DryRun, rules: Sequence[str], templates: Templates, reading: Reading | None = None
) -> list[Explanation]:
    """Explain every AddressSpace with every Syndesis, then the Integrations that are for neither."""
    cache, result = dry_run.cache, []
    for space in sorted(cache.spaces, key=lambda s: s.ref):
        for syndesis in sorted(cache.syndesises, key=lambda s: s.ref):
            pair = Pair(space.ref, syndesis.ref)
            integrations = tuple(_integrations_of(dry_run, pair))
            explanation = Explanation(
                pair,
                [(rule, _with_command(space, pair, check)) for rule, check in pairing.checks(space, syndesis, rules)],
                readiness.can_serve(space, cache.authentication_type(space)),
                readiness.can_connect(syndesis),
                integrations,
            )
            if explanation.paired or integrations:  # else there is nothing to do
                explanation = replace(explanation, outcome=_outcome(dry_run, pair, templates))
            result.append(explanation)
    return [*result, *_of_integrations(dry_run, rules, templates, {e.pair for e in result}, reading)]


def _with_command(space: AddressSpace, pair: Pair, check: Check) -> Check:
    """Return a failed check with the command that would make it pass.

    A user who reads the AddressSpace may know what is in its annotation. The operator's condition must not say that,
    because whoever writes an Integration reads it.
    """
    if check.reason != "NamespaceNotAllowed":
        return check
    namespace, allowed = pair.consumer.namespace, space.allowed_namespaces
    message = f"AddressSpace {space.ref} does not allow namespace {namespace}; its owner must add it"
    if allowed.ignored:  # not all of the annotation is known
        return Check.failure(check.reason, f"{message} to {names.ALLOWED_NAMESPACES}, beside what is in it")
    value = (
        f"{names.ALLOWED_NAMESPACES}='{allowed},{namespace}'" if allowed else f"{names.ALLOWED_NAMESPACES}={namespace}"
    )
    command = f"kubectl annotate addressspace {space.ref.name} -n {space.ref.namespace} --overwrite {value}"
    return Check.failure(check.reason, f"{message}: {command}")


def _of_binding(dry_run: DryRun, pair: Pair, rules: Sequence[str]) -> Explanation:
    """Explain the consent to a binding, if its AddressSpace exists."""
    space = dry_run.cache.spaces.get(pair.space)
    if space is None:
        return Explanation(pair)
    checks = pairing.checks(space, Binding(pair.consumer), rules)
    return Explanation(
        pair,
        [(rule, _with_command(space, pair, check)) for rule, check in checks],
        readiness.can_serve(space, dry_run.cache.authentication_type(space)),
    )


def _of_integrations(
    dry_run: DryRun,
    rules: Sequence[str],
    templates: Templates,
    explained: set[Pair | None],
    reading: Reading | None,
) -> Iterator[Explanation]:
    """Explain the bindings, and the Integrations whose AddressSpace or Syndesis does not exist, or is not named."""
    for integration in sorted(dry_run.cache.integrations, key=lambda i: i.ref):
        pair = dry_run.gatherer.pair_of(integration)
        if isinstance(pair, Pair):
            if pair in explained:
                continue
            explained.add(pair)
            unseen = reading is not None and not dry_run.cache.from_config_maps
            if unseen and not reading.saw(pair.space.namespace):  # type: ignore[union-attr]
                message = f"namespace {pair.space.namespace} was not read; read it with -n or -A"
                outcome = Outcome("", "AddressSpace not read", "NotRead", message)
            else:
                outcome = _outcome(dry_run, pair, templates)
            explanation = _of_binding(dry_run, pair, rules) if pair.is_binding else Explanation(pair)
            yield replace(explanation, integrations=tuple(_integrations_of(dry_run, pair)), outcome=outcome)
        elif integration.problem:
            yield Explanation(
                None, (), None, None, (integration,), Outcome("HOLD", STEPS["HOLD"], "InvalidSpec", integration.problem)
            )
        else:
            outcome = Outcome("HOLD", "has no pair", pair.reason, pair.message)
            yield Explanation(None, (), None, None, (integration,), outcome)


def _integrations_of(dry_run: DryRun, pair: Pair) -> list[Integration]:
    return rank(dry_run.gatherer.integrations_of(pair))


def _outcome(dry_run: DryRun, pair: Pair, templates: Templates) -> Outcome:
    """Return what the operator plans for a pair, as far as that does not depend on what is not read."""
    plan = dry_run.plan(pair, templates)
    because = plan.because
    if because is None and plan.step is Step.HOLD and plan.conditions:
        because = plan.conditions[0]
    step = plan.step.name
    text = DELIVER_BINDING if pair.is_binding and plan.step is Step.DELIVER else STEPS[step]
    return Outcome(step, text, *((because.reason, because.message) if because else ()))
