"""The life of a pair on one screen: gather, plan, execute, report.

A worker takes a key from the queue and calls ``reconcile``, which goes round until nothing is left to do for the pair.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integration_operator import metrics
from integration_operator.api import names
from integration_operator.backends import Backend, RemoteBackend
from integration_operator.backends.kubernetes import KubernetesBackend
from integration_operator.cache import Cache
from integration_operator.controllers.integration.execute import Executor, Outcome
from integration_operator.controllers.integration.gather import Gatherer, Key
from integration_operator.controllers.integration.guards import (
    MAX_OFFERS,
    MassDeletionGuard,
    OfferLimit,
    TeardownLimit,
)
from integration_operator.controllers.integration.remote_calls import RemoteCalls
from integration_operator.controllers.integration.remote_state import RemoteStateStore
from integration_operator.controllers.integration.watches import Watches
from integration_operator.domain.model import naming
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.conditions import events, summarize
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import Syndesis
from integration_operator.domain.plan.manifests import Identity, TemplateName, Templates
from integration_operator.domain.plan.plan import Plan, plan_duplicate, plan_pair, plan_unpaired, postponed
from integration_operator.domain.plan.status import integration_status, status_changed
from integration_operator.runtime.conditions import Condition, Event
from integration_operator.runtime.controller import Controller, Result
from integration_operator.runtime.errors import Incomplete
from integration_operator.runtime.event_recorder import EventRecorder
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.token_bucket import TokenBuckets
from integration_operator.runtime.tracing import Tracer
from integration_operator.runtime.workqueue import BURST, PER_SECOND, WorkQueue

MAX_PASSES = 8
"""Offer, deliver, done: three passes over a pair are enough. More means that two decisions undo each other."""

CALLS_TIMEOUT = 10.0
"""Seconds for calls over REST to finish on a stop; what is cut off is repeated after the next start."""

PATIENCE = 5.0
"""Seconds after its creation in which an Integration does not report ``SOON``."""

SOON = frozenset({"AddressSpaceNotReady", "AddressSpaceNotFound", "NamespaceNotAllowed", "SyndesisNotFound"})
"""Reasons that mostly end at once: what is applied together with an Integration, such as from git, may follow it."""


@dataclass(frozen=True, slots=True)
class Options:
    """The settings of the controller; times in seconds."""

    plan: PlanSettings = field(default_factory=PlanSettings)
    workers: int = 32
    resync: float = 600.0
    mass_delete_share: float = 0.5
    verification: float = 600.0
    give_up: float = 3600.0
    max_offers: int = MAX_OFFERS
    teardowns_per_minute: int = 0


class IntegrationController:
    """Keeps every pair as its facts require."""

    def __init__(
        self,
        cache: Cache,
        templates: Templates,
        options: Options,
        *,
        backend: Backend | None = None,
        remote_backends: Mapping[str, RemoteBackend] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        tracer: Tracer | None = None,
    ) -> None:
        self._clock = asyncio.get_running_loop().time
        self._now = now
        self._cache = cache
        self._templates = templates
        self._options = options
        self._remote_states = RemoteStateStore(options.verification, self._clock)
        self.offers = OfferLimit(
            lambda namespace: len(cache.integrations.by("offered from elsewhere", namespace)), options.max_offers
        )
        self.mass_deletion = MassDeletionGuard(options.mass_delete_share)
        self._gatherer = Gatherer(
            cache,
            self.mass_deletion,
            options.plan,
            self._remote_states,
            self._is_overdue,
            now=now,
            offers=self.offers,
        )
        self.queue: WorkQueue[Key] = WorkQueue(
            clock=self._clock,
            rate_limit=TokenBuckets(BURST, PER_SECOND, self._clock),
            on_get=metrics.CONTROLLER.queue_seconds.observe,
        )
        self.teardowns = TeardownLimit(options.teardowns_per_minute, self._clock)
        self._events = EventRecorder(cache.client, names.FIELD_MANAGER, clock=self._clock, timestamp=self._timestamp)
        self._remote_calls = RemoteCalls(
            remote_backends or {}, self._remote_states, self.queue.add, self._events.record, clock=self._clock
        )
        self._executor = Executor(
            cache,
            self._gatherer,
            self._remote_states,
            self._events,
            backend or KubernetesBackend(cache),
            self._remote_calls,
            clock=self._clock,
        )
        self._controller = Controller(
            self.reconcile,
            self.queue,
            kind="Integration",
            workers=options.workers,
            synced=cache.synced,
            metrics=metrics.CONTROLLER,
            log_fields=_log_fields,
            clock=self._clock,
            tracer=tracer,
        )
        self._first_seen: dict[str, float] = {}
        self._watches = Watches(cache, self._gatherer, self.queue)
        self._watches.start()
        cache.integrations.subscribe(self._integration_deleted)

    async def reconcile(self, key: Key) -> Result:
        """Bring a pair, or an Integration that has none, to what its facts require.

        Raises ``Incomplete`` if something is left to do, ``ApiError`` if not even that could be reported.
        """
        if not isinstance(key, Pair):
            return await self._report_unpaired(key)
        templates, outcome = RenderCache(self._templates), Outcome()
        for _ in range(MAX_PASSES):
            self.queue.clear_dirty(key)
            self._settle_lost(key)
            facts = self._gatherer.facts(key)  # from the cache, without a request
            plan = plan_pair(facts, templates)  # pure: the same call answers render and explain
            if plan.actions and not self._gatherer.saw_deletion(key) and await self._cache.confirm():
                continue  # nothing is done because of a single LIST
            if not plan.bounded:
                self.teardowns.forget(key)
            elif seconds := self.teardowns.wait(key):
                plan = postponed(plan, facts, seconds)
            outcome = await self._executor.execute(key, plan.actions)  # the only place that writes
            if not outcome.again:
                break
        else:  # two decisions undo each other, or another client undoes them
            outcome.incomplete = outcome.incomplete or Incomplete()
        waits = [outcome.requeue_after]
        if facts.integration is not None:
            patience = await self._report(facts.integration, plan, outcome.conditions)
            waits += [patience, self._remote_states.seconds_until_due(facts.integration)]
            waits += [max(1.0, (plan.wake_at - self._now()).total_seconds())] if plan.wake_at else []
            for duplicate in facts.duplicates:
                await self._report(duplicate, plan_duplicate(facts.integration))
        if facts.holds.offers_exhausted and facts.syndesis is not None:
            self._record_offers_exhausted(facts.syndesis)
        if outcome.incomplete is not None:
            raise outcome.incomplete
        return Result(min((seconds for seconds in waits if seconds), default=0.0))

    def unfinished(self) -> dict[Pair, Plan]:
        """Return the plans of all pairs that need an action, or whose objects are still being deleted."""
        pairs = (key for key in self._gatherer.all_keys() if isinstance(key, Pair))
        facts = {pair: self._gatherer.facts(pair) for pair in pairs}
        plans = {pair: plan_pair(of_pair, self._templates) for pair, of_pair in facts.items()}
        return {pair: plan for pair, plan in plans.items() if plan.actions or facts[pair].deleting}

    async def run(self) -> None:
        """Reconcile everything once the cache is in sync, then what changes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._resync(), name="resync")
            await self._controller.run()

    def stand_by(self) -> None:
        """Reconcile nothing, and remember nothing of what changes, until ``lead``: another process does that."""
        self.queue.paused = True

    async def lead(self) -> None:
        """Reconcile everything from now on, with stores that show all that was written before."""
        await self._cache.refresh()
        self.queue.paused = False
        self._watches.enqueue_all()

    async def stop(self) -> bool:
        """Hand out no more keys; return once everything that runs has finished, False if something was cut off."""
        await self._controller.stop()
        calls = await self._remote_calls.stop(CALLS_TIMEOUT)
        events = await self._events.drain()
        return calls and events

    async def _report(self, integration: Integration, plan: Plan, failed: Iterable[Condition] = ()) -> float:
        """Write the conditions, once, if they changed, and record the Event that the change is worth.

        Return the seconds to be patient with what may follow the Integration, else 0.
        """
        current = self._cache.integrations.get(integration.ref)
        if plan.conditions is None or current is None or current.live.uid != integration.live.uid:
            return 0.0
        conditions = summarize([*plan.conditions, *failed])
        before = current.conditions
        if conditions[0].reason in SOON and not before:
            patience = PATIENCE - self._seconds_known(current)
            if patience > 0:
                return patience
        status = integration_status(
            current, conditions, plan.delivered, plan.host, self._timestamp(), rotation=plan.rotation
        )
        if self._cache.served("Integration") is None or not status_changed(current.status, status):
            return 0.0
        writer = self._cache.writer("Integration", names.FIELD_MANAGER)
        written = await writer.apply_status(current.ref, current.live.uid, status)
        if not written.equals_without_status(current):
            self.queue.add(self._gatherer.key_of(written))  # it changed meanwhile, and the watch will not report it
        for event in events(conditions, before):
            self._events.record(current.reference, event)
        return 0.0

    async def _report_unpaired(self, ref: Ref) -> Result:
        """Report on an Integration without a pair what a user has to add."""
        integration = self._cache.integrations.get(ref)
        if integration is not None and not integration.live.deleting and not self._cache.unsynced():
            reason = self._gatherer.pair_of(integration)
            if isinstance(reason, Check):
                await self._report(integration, plan_unpaired(reason))
        return Result()

    async def _resync(self) -> None:
        """Requeue everything in each period, spread over it, so that what was missed is caught."""
        while True:
            await asyncio.sleep(self._options.resync)
            for key in self._gatherer.all_keys():
                self.queue.add_after(key, random.uniform(0, self._options.resync * 0.8))  # noqa: S311  only a jitter

    def _integration_deleted(self, old: Integration | None, new: Integration | None) -> None:
        """Forget an Integration that is gone, unless its state over REST still exists."""
        if old is None or new is not None:
            return
        if self.queue.paused:  # the leader deletes the state over REST
            self._forget(old)
            return
        pair = self._gatherer.key_of(old)
        readable = self._cache.cluster_facts().is_known("Integration")
        if isinstance(pair, Pair) and readable and not self._remote_states.of(old).absent:
            self._gatherer.lost[pair] = old.as_deleting()
        else:
            self._forget(old)

    def _settle_lost(self, pair: Pair) -> None:
        """Forget a lost Integration once no state over REST exists, or once its pair has another Integration."""
        if (lost := self._gatherer.lost.get(pair)) is None:
            return
        successor = self._gatherer.integration_of(pair)
        if successor is not None and successor.live.uid != lost.live.uid:
            self._remote_states.inherit(lost, successor)
        elif not self._remote_states.of(lost).absent:
            return
        del self._gatherer.lost[pair]
        self._forget(lost)

    def _forget(self, integration: Integration) -> None:
        self._remote_states.forget(integration)
        self._remote_calls.forget(integration)
        self._first_seen.pop(integration.live.uid, None)

    def _is_overdue(self, integration: Integration) -> bool:
        """Check if the deletion of an Integration has been tried for long enough."""
        return self._remote_calls.seconds_deleting(integration) > self._options.give_up

    def _seconds_known(self, integration: Integration) -> float:
        """Return for how many seconds this process has known an Integration."""
        now = self._clock()
        return now - self._first_seen.setdefault(integration.live.uid, now)

    def _record_offers_exhausted(self, syndesis: Syndesis) -> None:
        """Report to the receiver that it has as many offers as it may have."""
        message = (
            f"Namespace {syndesis.ref.namespace} has {self._options.max_offers} offers from other namespaces that no "
            f"user answered, and gets no more until some are enabled, disabled or deleted; limit who may offer with "
            f"the annotation {names.ACCEPT_FROM} on the Syndesis"
        )
        self._events.record_once(syndesis.reference, Event("Warning", "OffersExhausted", message))

    def _timestamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _log_fields(key: Key) -> dict[str, str]:
    """Return namespace and name of the Integration, as it is offered if it does not exist, and the pair."""
    if not isinstance(key, Pair):
        return key._asdict()
    name = key.consumer.name if key.is_binding else naming.integration_name(key)
    return {"namespace": key.consumer.namespace, "name": name, "pair": str(key)}


class RenderCache:
    """Templates that render a document once for all passes over a pair."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._rendered: dict[TemplateName, tuple[Identity, dict[str, Any], dict[str, Any]]] = {}

    def render(self, name: TemplateName, identity: Identity, variables: dict[str, Any]) -> dict[str, Any]:
        """Return the document; it is rendered only if identity or variables differ from the last time."""
        last = self._rendered.get(name)
        if last is not None and last[:2] == (identity, variables):
            return last[2]
        document = self._templates.render(name, identity, variables)
        self._rendered[name] = (identity, variables, document)
        return document
