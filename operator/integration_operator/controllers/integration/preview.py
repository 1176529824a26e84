"""Preview: what the operator would report of an Integration that the API server is about to store.

The Integration counts as stored in a dry run, and the conditions are those of the operator's own plan. So a preview
tells a user nothing that the status of the stored Integration would not.
"""

from __future__ import annotations

from collections.abc import Iterator

from integration_operator.cache import Cache
from integration_operator.controllers.integration.dry_run import DryRun
from integration_operator.domain.model.conditions import needs_user
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.plan.manifests import Templates
from integration_operator.domain.plan.plan import Plan, plan_duplicate, plan_pair, plan_unpaired
from integration_operator.runtime.conditions import Condition


def problems(cache: Cache, settings: PlanSettings, templates: Templates, proposed: Integration) -> list[Condition]:
    """Return the conditions that a user would have to act on, each reason once; none while the cache is not in sync."""
    if proposed.live.deleting or cache.unsynced():
        return []
    conditions = _plan(DryRun(cache, settings, proposed=proposed), proposed, templates).conditions or ()
    return list(_each_once(condition for condition in conditions if needs_user(condition)))


def _plan(dry_run: DryRun, proposed: Integration, templates: Templates) -> Plan:
    pair = dry_run.gatherer.pair_of(proposed)
    if not isinstance(pair, Pair):
        return plan_unpaired(pair)
    facts = dry_run.facts(pair)
    if facts.integration is not None and facts.integration.ref != proposed.ref:
        return plan_duplicate(facts.integration)
    return plan_pair(facts, templates)


def _each_once(conditions: Iterator[Condition]) -> Iterator[Condition]:
    """Yield the first condition of each reason: those of the sides repeat that of the pair."""
    reasons: set[str] = set()
    for condition in conditions:
        if condition.reason not in reasons:
            reasons.add(condition.reason)
            yield condition
