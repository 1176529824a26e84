"""The life of a pair on one screen: gather, decide, act, report.

A worker takes a key from the queue and calls ``reconcile``, which goes round until nothing is left to do for the pair.
Everything that matters is found from there by name.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from integration_operator.api import names
from integration_operator.cluster import Cluster
from integration_operator.delivery import Delivery, RemoteDelivery
from integration_operator.delivery.native import NativeDelivery
from integration_operator.domain.actions import Action, Apply, Deliver, Finalize, LetGo, Remove, Withdraw
from integration_operator.domain.conditions import Announcement, Finding, Type, announcements, summarise
from integration_operator.domain.decisions import Decision, decide, duplicate_of, unpaired
from integration_operator.domain.desired import Identity, TemplateName, Templates
from integration_operator.domain.failure import Failure
from integration_operator.domain.integration import Integration, first_of
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.pairing import DEFAULT_RULES
from integration_operator.domain.remote import Remote
from integration_operator.domain.report import status_changed, status_of
from integration_operator.domain.verdict import Verdict
from integration_operator.engine.events import EventRecorder
from integration_operator.engine.gathering import Gatherer, Key
from integration_operator.engine.guards import MassDeletionGuard, RepairLimit
from integration_operator.engine.register import RemoteRegister
from integration_operator.engine.triggers import Triggers
from integration_operator.engine.workqueue import WorkQueue
from integration_operator.kube.errors import Conflict
from integration_operator.observability import metrics

MOST_PASSES = 8
"""Offer, deliver, done: three passes over a pair are enough. More means that two decisions undo each other."""

YOUNG = 5.0
"""Seconds in which a new Integration is not yet told that its AddressSpace is not ready: mostly it soon is."""

SIDE_OF: dict[str, Type] = {
    "Integration": "Paired",
    "Secret": "CredentialsReady",
    "MessagingUser": "UserReady",
    "Connection": "ConnectionReady",
}


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


@dataclass(slots=True)
class Outcome:
    """What came of the actions of one pass.

    ``again`` asks for another pass. ``troubles`` are conditions that take the place of the decided ones. ``retry`` asks
    for the queue's back-off, ``wait`` are the seconds to wait at least.
    """

    again: bool = False
    troubles: list[Finding] = field(default_factory=list)
    retry: bool = False
    wait: float = 0.0


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
        self._delivery = delivery or NativeDelivery(cluster)
        self._over_rest = over_rest or {}
        self._register = RemoteRegister(options.verification, self._clock)
        self._gatherer = Gatherer(
            cluster,
            MassDeletionGuard(options.mass_delete_share),
            options.rules,
            options.enable_new,
            self._register,
            {"user": options.user, "connection": options.connection},
            self._is_overdue,
        )
        self._repairs = RepairLimit()
        self._futile: dict[tuple[str, Ref], dict[str, Any]] = {}
        self._events = EventRecorder(cluster.client, clock=self._clock, now=self._timestamp)
        self._log = structlog.get_logger(__name__)
        self.queue: WorkQueue[Key] = WorkQueue(clock=self._clock)
        Triggers(cluster, self._gatherer, self.queue)

    async def reconcile(self, pair: Pair) -> float:
        """Bring one pair to what its facts ask for; return the seconds after which to look again, 0 for never.

        Raises ``RetryLater`` where something is left to do and could not be done, ``ApiError`` where not even that
        could be said.
        """
        templates = Memo(self._templates)
        for _ in range(MOST_PASSES):
            self.queue.covers(pair)
            facts = self._gatherer.facts(pair, self._cluster.kinds())  # the stores, no request
            decision = decide(facts, templates)  # pure; the same call answers render and explain
            outcome = await self._act(pair, decision.actions)  # the only place that writes
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
        if outcome.retry:
            raise RetryLater(outcome.wait)
        return min((seconds for seconds in waits if seconds), default=0.0)

    async def _act(self, pair: Pair, actions: Iterable[Action]) -> Outcome:
        """Do what was decided, in its order, up to the first that does not succeed."""
        outcome = Outcome()
        for action in actions:
            if self._is_futile(action):
                continue
            if wait := self._repair_wait(action):
                return Outcome(troubles=[self._contested(action)], wait=wait)
            try:
                await self._do(pair, action)
            except Failure as error:
                self._log.info("refused", pair=str(pair), object=f"{action.kind} {action.ref}", error=str(error))
                troubles = [_trouble(action, error)] if _worth_saying(action, error) else []
                wait = error.retry_after or 0.0
                if error.stalls and isinstance(action, (Deliver, Withdraw)):
                    wait = self._options.verification  # nobody tells when it has changed
                return Outcome(troubles=troubles, retry=not error.stalls, wait=wait)
            outcome.again = True
        return outcome

    async def _report(self, integration: Integration, decision: Decision, troubles: Iterable[Finding] = ()) -> float:
        """Write the conditions, once, if they changed, and post the Event that the change is worth.

        Returns the seconds to be patient with a space that is not ready yet, else 0.
        """
        current = self._cluster.integrations.get(integration.ref)
        if decision.findings is None or current is None or current.live.uid != integration.live.uid:
            return 0.0
        findings = summarise([*decision.findings, *troubles])
        before = current.status.get("conditions") or ()
        if findings[0].reason == "AddressSpaceNotReady" and not before and (young := YOUNG - self._age(current)) > 0:
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
        """Say on an Integration that stands for no pair what a person has to add."""
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
                self.queue.retry(key, at_least=later.seconds)
            except Failure as error:
                result = "error"
                self._log.info("not reported", key=str(key), error=str(error))
                self.queue.retry(key, at_least=error.retry_after or 0.0)
            except Exception:  # a defect in the handling of one pair must not stop the others
                result = "defect"
                self._log.exception("unexpected", key=str(key))
                self.queue.retry(key, at_least=1.0)
            finally:
                self.queue.done(key)
                metrics.RECONCILES.labels(result).inc()
                metrics.RECONCILE_SECONDS.observe(self._clock() - began)

    async def _resync(self) -> None:
        """Look at everything from time to time, spread over the period, so that what was missed is caught."""
        while True:
            await asyncio.sleep(self._options.resync)
            for key in self._gatherer.known_keys():
                self.queue.add_after(key, random.uniform(0, self._options.resync * 0.8))  # noqa: S311  only a jitter

    async def _do(self, pair: Pair, action: Action) -> None:
        log = self._log.bind(pair=str(pair), kind=action.kind, object=str(action.ref), why=action.why)
        match action:
            case Apply():
                await self._apply(pair, action, log)
            case Remove():
                if action.kind == "Integration":
                    self._gatherer.we_remove(action.uid)
                await self._delivery.remove(action)
                self._futile.pop((action.kind, action.ref), None)
                self._repairs.forget(action.kind, action.ref)
                log.info("removed")
            case Finalize():
                await self._finalize(action)
                log.info("finalizer", present=action.present)
            case Deliver() | Withdraw() | LetGo():
                await self._do_over_rest(pair, action, log)

    async def _do_over_rest(self, pair: Pair, action: Deliver | Withdraw | LetGo, log: Any) -> None:
        """Do what no store will show, and note what came of it."""
        integration = first_of(self._gatherer.integrations_of(pair))[0]
        if isinstance(action, LetGo):
            self._register.note(integration, action.kind, Remote())
            if action.left_behind:
                left = f"{action.kind} {action.ref} could not be reached for too long and is left behind"
                self._events.post(integration, Announcement("Warning", "LeftBehind", left))
            log.info("let go")
            return
        delivery = self._over_rest.get(action.how)
        if delivery is None:
            raise Failure("DeliveryNotAvailable", f"delivery {action.how!r} is not set up")
        if isinstance(action, Deliver):
            if not integration.holds_rest_state:
                raise FinalizerMissing("FinalizerMissing", "the finalizer was taken off just now")
            self._register.note(integration, action.kind, await delivery.deliver(action))
            log.info("delivered", how=action.how)
            return
        warning = await delivery.withdraw(action)
        self._register.note(integration, action.kind, Remote())
        if warning:
            self._events.post(integration, Announcement("Warning", "ConnectionInUse", warning))
        log.info("withdrawn", how=action.how)

    async def _finalize(self, action: Finalize) -> None:
        """Put our finalizer on an Integration or take it off, touching nothing else of it.

        It is applied under a field manager of its own: so it is one entry in a set, whoever else is in it, and the
        Integration stays a person's where a person wrote it.
        """
        served = self._cluster.served("Integration")
        integration = self._cluster.integrations.get(action.ref)
        if integration is not None and action.present:
            self._register.begin(integration)
        if served is None:
            raise Failure("IntegrationNotServed", "the cluster does not serve Integration")
        document = {
            "apiVersion": served.api_version,
            "kind": "Integration",
            "metadata": {
                "name": action.ref.name,
                "namespace": action.ref.namespace,
                "uid": action.uid,
                "finalizers": [names.REST_STATE_FINALIZER] if action.present else [],
            },
        }
        answer = await self._cluster.client.apply(
            served.item(*action.ref), document, manager=names.FINALIZER_MANAGER, force=True
        )
        self._cluster.integrations.wrote(answer)

    async def _apply(self, pair: Pair, action: Apply, log: Any) -> None:
        not_kept = await self._delivery.apply(action)
        if not_kept:
            self._futile[action.kind, action.ref] = action.document
            log.warning("the server does not keep what the template says", fields=not_kept)
        if action.kind == "Integration":
            self._gatherer.offered(pair)
        log.info("applied")

    def _is_futile(self, action: Action) -> bool:
        """Whether this very document was applied before and the server did not keep all of it."""
        return (
            isinstance(action, Apply)
            and bool(action.uid)
            and (self._futile.get((action.kind, action.ref)) == action.document)
        )

    def _repair_wait(self, action: Action) -> float:
        """Seconds until an object may be repaired once more; what is new is made at once."""
        if not isinstance(action, Apply) or action.uid is None:
            return 0.0
        return self._repairs.wait(action.kind, action.ref, self._clock())

    def _contested(self, action: Action) -> Finding:
        known = self._cluster.store(action.kind).get(action.ref)
        live = known.live if isinstance(known, Integration) else known
        rivals = ", ".join(sorted(set(live.rivals))) if live else "somebody"
        return Finding(
            SIDE_OF[action.kind],
            "False",
            "FieldContested",
            f"{action.kind} {action.ref} is changed again and again ({action.why}), by one of: {rivals}",
        )

    def _is_overdue(self, integration: Integration) -> bool:
        """Whether an Integration has waited in deletion for longer than anybody should."""
        began = integration.live.document["metadata"].get("deletionTimestamp")
        if began is None:
            return False
        return (self._now() - datetime.fromisoformat(began)).total_seconds() > self._options.give_up

    def _age(self, integration: Integration) -> float:
        try:
            return (self._now() - datetime.fromisoformat(integration.created)).total_seconds()
        except ValueError:
            return YOUNG

    def _timestamp(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


class RetryLater(Exception):
    """Something is left to do and could not be done; ``seconds`` is the least to wait."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"to be tried again in {seconds} s at the earliest")
        self.seconds = seconds


class FinalizerMissing(Failure):
    """State over REST was about to be made without anything that would have it removed."""

    quiet = True


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


def _worth_saying(action: Action, error: Failure) -> bool:
    """A conflict passes by itself, unless it is about a new object: then a stranger has its name."""
    return not error.quiet or (isinstance(action, Apply) and action.uid is None and isinstance(error, Conflict))


def _trouble(action: Action, error: Failure) -> Finding:
    if isinstance(error, Conflict):
        reason, message = "NameTaken", f"{action.kind} {action.ref} is there already and is not ours"
    else:
        reason, message = error.reason or "ServerError", f"{action.kind} {action.ref}: {error.message}"
    return Finding(SIDE_OF[action.kind], "False", reason, message[:1024])
