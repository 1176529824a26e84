"""The life of a pair on one screen: gather, decide, act, report.

A worker takes a key from the queue and calls ``reconcile``, which goes round until nothing is left to do for the pair.
Everything that matters is found from there by name.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from integration_operator.api import names
from integration_operator.cluster import Cluster
from integration_operator.delivery import Delivery, RemoteDelivery
from integration_operator.delivery.native import NativeDelivery
from integration_operator.domain.conditions import Announcement, Finding, announcements, summarise
from integration_operator.domain.decisions import Decision, decide, duplicate_of, unpaired
from integration_operator.domain.desired import Identity, TemplateName, Templates
from integration_operator.domain.failure import Failure
from integration_operator.domain.integration import Integration
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.pairing import DEFAULT_RULES
from integration_operator.domain.platforms import Syndesis
from integration_operator.domain.report import status_changed, status_of
from integration_operator.domain.verdict import Verdict
from integration_operator.engine.acting import Actor
from integration_operator.engine.backoff import LONGEST_DELAY
from integration_operator.engine.events import EventRecorder
from integration_operator.engine.gathering import Gatherer, Key
from integration_operator.engine.guards import MOST_OFFERS, MassDeletionGuard, OfferLimit
from integration_operator.engine.pace import Pace
from integration_operator.engine.register import RemoteRegister
from integration_operator.engine.remote_work import RemoteWork
from integration_operator.engine.triggers import Triggers
from integration_operator.engine.workqueue import BURST, PER_SECOND, WorkQueue
from integration_operator.observability import metrics

MOST_PASSES = 8
"""Offer, deliver, done: three passes over a pair are enough. More means that two decisions undo each other."""

CALLS_END = 10.0
"""Seconds to finish calls over REST on a stop; what is cut off is made sure of after the next start."""

YOUNG = 5.0
"""Seconds in which a new Integration is not yet told that its AddressSpace is not ready: mostly it soon is."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the settings say to the engine; times in seconds."""

    rules: tuple[str, ...] = DEFAULT_RULES
    enable_new: bool = False
    workers: int = 32
    resync: float = 600.0
    mass_delete_share: float = 0.5
    user: str = "auto"
    connection: str = "auto"
    verification: float = 600.0
    give_up: float = 3600.0
    most_offers: int = MOST_OFFERS
    allow_keycloak: bool = False


class Controller:
    """Keeps every pair as its facts ask for it."""

    def __init__(
        self,
        cluster: Cluster,
        templates: Templates,
        options: Options,
        *,
        delivery: Delivery | None = None,
        over_rest: Mapping[str, RemoteDelivery] | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._clock = asyncio.get_running_loop().time
        self._now = now
        self._cluster = cluster
        self._templates = templates
        self._options = options
        self._register = RemoteRegister(options.verification, self._clock)
        self._gatherer = Gatherer(
            cluster,
            MassDeletionGuard(options.mass_delete_share),
            options.rules,
            options.enable_new,
            self._register,
            {"user": options.user, "connection": options.connection},
            self._is_overdue,
            offers=OfferLimit(
                lambda namespace: len(cluster.integrations.by("offered from elsewhere", namespace)), options.most_offers
            ),
            keycloak_allowed=options.allow_keycloak,
        )
        self.queue: WorkQueue[Key] = WorkQueue(clock=self._clock, pace=Pace(BURST, PER_SECOND, self._clock))
        self._events = EventRecorder(cluster.client, clock=self._clock, now=self._timestamp)
        self._remote = RemoteWork(over_rest or {}, self._register, self.queue.add, self._events.post, clock=self._clock)
        self._actor = Actor(
            cluster,
            self._gatherer,
            self._register,
            self._events,
            delivery or NativeDelivery(cluster),
            self._remote,
            clock=self._clock,
        )
        self.offers = self._gatherer.offers
        self._first_seen: dict[str, float] = {}
        self._log = structlog.get_logger(__name__)
        Triggers(cluster, self._gatherer, self.queue)
        cluster.integrations.subscribe(self._integration_gone)

    async def reconcile(self, pair: Pair) -> float:
        """Bring one pair to what its facts ask for; return the seconds after which to look again, 0 for never.

        Raises ``RetryLater`` if something is left to do and could not be done, ``ApiError`` if not even that
        could be said.
        """
        templates = Memo(self._templates)
        for _ in range(MOST_PASSES):
            self.queue.covers(pair)
            self._settle_lost(pair)
            facts = self._gatherer.facts(pair, self._cluster.kinds())  # the stores, no request
            decision = decide(facts, templates)  # pure; the same call answers render and explain
            outcome = await self._actor.act(pair, decision.actions)  # the only place that writes
            if not outcome.again:
                break
        else:  # two decisions undo each other, or somebody undoes them
            outcome.retry = True
        waits = [outcome.wait]
        if facts.integration is not None:
            patience = await self._report(facts.integration, decision, outcome.troubles)
            waits += [patience, self._register.seconds_to_look(facts.integration)]
            for duplicate in facts.duplicates:
                await self._report(duplicate, duplicate_of(facts.integration))
        if facts.offers_exhausted and facts.syndesis is not None:
            self._say_offers_exhausted(facts.syndesis)
        if outcome.retry:
            raise RetryLater(outcome.wait, outcome.longest)
        return min((seconds for seconds in waits if seconds), default=0.0)

    async def _report(self, integration: Integration, decision: Decision, troubles: Iterable[Finding] = ()) -> float:
        """Write the conditions, once, if they changed, and post the Event that the change is worth.

        Returns the seconds to be patient with a space that is not ready yet, else 0.
        """
        current = self._cluster.integrations.get(integration.ref)
        if decision.findings is None or current is None or current.live.uid != integration.live.uid:
            return 0.0
        findings = summarise([*decision.findings, *troubles])
        before = current.status.get("conditions") or ()
        if (
            findings[0].reason == "AddressSpaceNotReady"
            and not before
            and (young := YOUNG - self._known_for(current)) > 0
        ):
            return young
        status = status_of(current, decision, findings, self._timestamp())
        served = self._cluster.served("Integration")
        if served is None or not status_changed(current.status, status):
            return 0.0
        document = {
            "apiVersion": served.api_version,
            "kind": "Integration",
            "metadata": {"name": current.ref.name, "namespace": current.ref.namespace, "uid": current.live.uid},
            "status": status,
        }
        path = f"{served.item(*current.ref)}/status"
        answer = await self._cluster.client.apply(path, document, manager=names.FIELD_MANAGER, force=True)
        written = self._cluster.integrations.wrote(answer)
        if not written.says_the_same(current):
            self.queue.add(self._gatherer.key_of(written))  # somebody changed it meanwhile, and the watch will not tell
        for announcement in announcements(findings, before):
            self._events.post(current, announcement)
        return 0.0

    async def _explain_unpaired(self, ref: Ref) -> None:
        """Say on an Integration that stands for no pair what a user has to add."""
        integration = self._cluster.integrations.get(ref)
        if integration is not None and not integration.live.deleting and not self._cluster.unsettled():
            reason = self._gatherer.pair_of(integration)
            if isinstance(reason, Verdict):
                await self._report(integration, unpaired(reason))

    async def run(self) -> None:
        """Once the stores are in sync, look at everything, then at what changes, until cancelled.

        The first look comes from the trigger that sees the last kind come into sync.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(self._options.workers):
                group.create_task(self._work(), name=f"worker {number}")
            group.create_task(self._resync(), name="resync")

    async def stop(self) -> None:
        """Take no more keys, and return once what is in flight is finished."""
        self.queue.close()
        await self.queue.finished()
        await self._remote.stop(CALLS_END)
        await self._events.drain()

    async def _work(self) -> None:
        await self._cluster.synced()
        while (key := await self.queue.take()) is not None:
            began, result = self._clock(), "ok"
            try:
                if isinstance(key, Pair):
                    wait = await self.reconcile(key)
                else:
                    wait = 0.0
                    await self._explain_unpaired(key)
                self.queue.succeeded(key)
                if wait:
                    self.queue.add_after(key, wait)
            except RetryLater as later:
                result = "retry"
                self.queue.retry(key, at_least=later.seconds, longest=later.longest)
            except Failure as error:
                result = "error"
                self._log.info("not reported", key=str(key), error=str(error))
                self.queue.retry(key, at_least=error.retry_after or 0.0, longest=error.longest_delay)
            except Exception:  # a defect in the handling of one pair must not stop the others
                result = "defect"
                self._log.exception("unexpected", key=str(key))
                self.queue.retry(key, at_least=1.0)
            finally:
                self.queue.done(key)
                metrics.RECONCILES.labels(result).inc()
                metrics.RECONCILE_SECONDS.observe(self._clock() - began)

    async def _resync(self) -> None:
        """Requeue everything from time to time, spread over the period, so that what was missed is caught."""
        while True:
            await asyncio.sleep(self._options.resync)
            for key in self._gatherer.known_keys():
                self.queue.add_after(key, random.uniform(0, self._options.resync * 0.8))  # noqa: S311  only a jitter

    def _integration_gone(self, old: Integration | None, new: Integration | None) -> None:
        """Forget an Integration that is gone, unless something that it showed still stands over REST."""
        if old is None or new is not None:
            return
        pair = self._gatherer.key_of(old)
        kinds = self._cluster.kinds()
        known = "Integration" not in kinds.absent | kinds.out_of_sync
        if isinstance(pair, Pair) and known and not self._register.of(old).nothing:
            self._gatherer.lost[pair] = old.gone()
        else:
            self._forget(old)

    def _settle_lost(self, pair: Pair) -> None:
        """Forget a lost Integration once nothing stands any more, or once another one stands for its pair."""
        if (lost := self._gatherer.lost.get(pair)) is None:
            return
        successor = self._gatherer.integration_of(pair)
        if successor is not None and successor.live.uid != lost.live.uid:
            self._register.inherit(lost, successor)
        elif not self._register.of(lost).nothing:
            return
        del self._gatherer.lost[pair]
        self._forget(lost)

    def _forget(self, integration: Integration) -> None:
        self._register.forget(integration)
        self._remote.forget(integration)
        self._first_seen.pop(integration.live.uid, None)

    def _is_overdue(self, integration: Integration) -> bool:
        """Check if a deleted Integration was tried to be taken down for long enough."""
        return self._remote.seconds_deleting(integration) > self._options.give_up

    def _known_for(self, integration: Integration) -> float:
        """Return for how many seconds this process has known an Integration."""
        now = self._clock()
        return now - self._first_seen.setdefault(integration.live.uid, now)

    def _say_offers_exhausted(self, syndesis: Syndesis) -> None:
        """Tell the receiver that it has as many offers as it may have."""
        message = (
            f"namespace {syndesis.ref.namespace} has {self._options.most_offers} offers from other namespaces that no "
            f"user answered, and gets no more until some are enabled, disabled or deleted; limit who may offer with "
            f"the annotation {names.ACCEPT_FROM} on the Syndesis"
        )
        self._events.post_once(syndesis, Announcement("Warning", "OffersExhausted", message))

    def _timestamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


class RetryLater(Exception):
    """Something is left to do and could not be done; ``seconds`` is the least to wait, ``longest`` the most."""

    def __init__(self, seconds: float, longest: float = LONGEST_DELAY) -> None:
        super().__init__(f"to be tried again in {seconds} s at the earliest")
        self.seconds = seconds
        self.longest = longest


class Memo:
    """Templates that render a document once for all passes over a pair."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates
        self._rendered: dict[TemplateName, tuple[Identity, dict[str, Any], dict[str, Any]]] = {}

    def render(self, name: TemplateName, identity: Identity, variables: dict[str, Any]) -> dict[str, Any]:
        """Render, or return what was rendered from the same."""
        known = self._rendered.get(name)
        if known is not None and known[:2] == (identity, variables):
            return known[2]
        document = self._templates.render(name, identity, variables)
        self._rendered[name] = (identity, variables, document)
        return document
