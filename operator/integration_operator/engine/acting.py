"""The only place that writes: actions are done in their order, and what came of each is said.

Resources are seen in the stores afterwards; what was done over REST is noted in the register.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog

from integration_operator.api import names
from integration_operator.cluster import Cluster
from integration_operator.delivery import Delivery
from integration_operator.domain.actions import Action, Apply, Deliver, Finalize, LetGo, Remove, Withdraw
from integration_operator.domain.conditions import Announcement, Finding, Type
from integration_operator.domain.failure import Failure
from integration_operator.domain.integration import Integration
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.remote import Remote
from integration_operator.domain.text import sanitized
from integration_operator.engine.backoff import LONGEST_DELAY
from integration_operator.engine.events import EventRecorder
from integration_operator.engine.gathering import Gatherer
from integration_operator.engine.guards import RepairLimit
from integration_operator.engine.register import RemoteRegister
from integration_operator.engine.remote_work import RemoteWork
from integration_operator.kube.errors import Conflict
from integration_operator.kube.finalizers import set_finalizer

SIDE_OF: dict[str, Type] = {
    "Integration": "Paired",
    "Secret": "CredentialsReady",
    "MessagingUser": "UserReady",
    "Connection": "ConnectionReady",
}


@dataclass(slots=True)
class Outcome:
    """What came of the actions of one pass.

    ``again`` asks for another pass. ``troubles`` are conditions that take the place of the decided ones. ``retry`` asks
    for the queue's back-off, of up to ``longest``; ``wait`` are the seconds to wait at least.
    """

    again: bool = False
    troubles: list[Finding] = field(default_factory=list)
    retry: bool = False
    wait: float = 0.0
    longest: float = LONGEST_DELAY

    def wait_for(self, seconds: float) -> None:
        """Look again after these seconds at the latest."""
        self.wait = min(self.wait or seconds, seconds)

    def failed(self, error: Failure) -> None:
        """Take the policy of a failure: what failed beside this pass comes back by itself."""
        if isinstance(error, BesideFailed):
            return
        self.retry |= not error.stalls
        self.longest = min(self.longest, error.longest_delay)
        if error.retry_after:
            self.wait = max(self.wait, error.retry_after)


class BesideFailed(Failure):
    """A call over REST has failed; it is repeated beside the passes over the pair (engine/remote_work.py)."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason, failure.message)
        self.is_quiet = failure.quiet


class FinalizerMissing(Failure):
    """State over REST was about to be made without anything that would have it removed."""

    quiet = True


class Actor:
    """Does what was decided."""

    def __init__(
        self,
        cluster: Cluster,
        gatherer: Gatherer,
        register: RemoteRegister,
        events: EventRecorder,
        delivery: Delivery,
        remote: RemoteWork,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._gatherer = gatherer
        self._register = register
        self._events = events
        self._delivery = delivery
        self._remote = remote
        self._clock = clock
        self._repairs = RepairLimit()
        self._futile: dict[tuple[str, Ref], dict[str, Any]] = {}
        self._log = structlog.get_logger(__name__)

    async def act(self, pair: Pair, actions: Iterable[Action]) -> Outcome:
        """Do what was decided, in its order.

        An action that fails stops only those that need it: a Secret that cannot be changed keeps no endpoint from being
        corrected, and a Syndesis that is down keeps no login open.
        """
        outcome = Outcome()
        failed: list[Action] = []
        for action in actions:
            if self._is_futile(action):
                continue
            if needed := next((earlier for earlier in failed if _needs(action, earlier)), None):
                outcome.troubles += _waiting(action, needed)
                continue
            if wait := self._repair_wait(action):
                outcome.troubles.append(self._contested(action))
                outcome.wait_for(wait)
                failed.append(action)
                continue
            try:
                outcome.again |= await self._do(pair, action)
            except Failure as error:
                self._log.info("refused", pair=str(pair), object=f"{action.kind} {action.ref}", error=str(error))
                outcome.troubles += [_trouble(action, error)] if _worth_saying(action, error) else []
                outcome.failed(error)
                failed.append(action)
        return outcome

    async def _do(self, pair: Pair, action: Action) -> bool:
        """Do one action; return False if it goes on beside this pass, or failed beside an earlier one and waits."""
        log = self._log.bind(pair=str(pair), kind=action.kind, object=str(action.ref), why=action.why)
        match action:
            case Apply() if action.kind == "Integration" and action.uid is None:
                with self._gatherer.offers.reserved(pair) as reserved:
                    if not reserved:
                        return True  # the next pass over the pair says so
                    await self._apply(pair, action, log)
            case Apply():
                await self._apply(pair, action, log)
            case Remove():
                if action.kind == "Integration":
                    self._gatherer.we_remove(action.uid)
                await self._delivery.remove(action)
                self._futile.pop((action.kind, action.ref), None)
                self._repairs.forget(action.kind, action.ref)
                log.info("deleted")
            case Finalize():
                await self._finalize(action)
                log.info("finalizer", present=action.present)
            case Deliver() | Withdraw():
                return await self._call(pair, action)
            case LetGo():
                self._let_go(pair, action)
                log.info("released")
        return True

    def _let_go(self, pair: Pair, action: LetGo) -> None:
        """Stop tracking one side over REST; emit an Event if it is left behind."""
        integration = self._integration_of(pair)
        self._register.note(integration, action.kind, Remote())
        if action.left_behind:
            server = "EnMasse" if action.kind == "MessagingUser" else "Syndesis"
            left = f"{action.kind} {action.ref} stays in {server}, which did not answer for too long; delete it there"
            self._events.post(integration, Announcement("Warning", "LeftBehind", left))

    async def _call(self, pair: Pair, action: Deliver | Withdraw) -> bool:
        """Start what no store will show, beside this pass; return True if it is done already."""
        integration = self._integration_of(pair)
        if isinstance(action, Deliver) and not integration.holds_rest_state:
            raise FinalizerMissing("FinalizerMissing", "the finalizer was taken off just now")
        if failure := await self._remote.start(integration, action):
            raise BesideFailed(failure)
        return not self._remote.busy(integration)

    def _integration_of(self, pair: Pair) -> Integration:
        integration = self._gatherer.integration_of(pair)
        if integration is None:
            raise FinalizerMissing("IntegrationGone", "the Integration went just now")
        return integration

    async def _finalize(self, action: Finalize) -> None:
        """Put our finalizer on an Integration or take it off, touching nothing else of it."""
        served = self._cluster.served("Integration")
        integration = self._cluster.integrations.get(action.ref)
        if integration is not None and action.present:
            self._register.begin(integration)
        if served is None:
            raise Failure("IntegrationNotServed", "the cluster does not serve Integration")
        document = {
            "apiVersion": served.api_version,
            "kind": "Integration",
            "metadata": {"name": action.ref.name, "namespace": action.ref.namespace, "uid": action.uid},
        }
        answer = await set_finalizer(
            self._cluster.client,
            served.item(*action.ref),
            document,
            names.REST_STATE_FINALIZER,
            present=action.present,
            manager=names.FINALIZER_MANAGER,
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
        """Check if this very document was applied before and the server did not keep all of it."""
        return (
            isinstance(action, Apply)
            and bool(action.uid)
            and (self._futile.get((action.kind, action.ref)) == action.document)
        )

    def _repair_wait(self, action: Action) -> float:
        """Return the seconds until an object may be repaired once more; a new object is created at once."""
        if not isinstance(action, Apply) or action.uid is None:
            return 0.0
        document = {**action.document, "uid": action.uid}  # one that was created anew is none that was changed
        return self._repairs.wait(action.kind, action.ref, document, self._clock())

    def _contested(self, action: Action) -> Finding:
        known = self._cluster.store(action.kind).get(action.ref)
        live = known.live if isinstance(known, Integration) else known
        rivals = " or ".join(sorted(set(live.rivals))) if live else ""
        rivals = f"another field manager ({rivals})" if rivals else "a client that names no field manager"
        return Finding(
            SIDE_OF[action.kind],
            "False",
            "FieldContested",
            f"{action.kind} {action.ref} is changed again and again ({action.why}) by {rivals}; stop it from that",
        )


_MAKING = (Apply, Deliver)


def _needs(action: Action, failed: Action) -> bool:
    """Check if an action cannot be done because an earlier one failed.

    A connection is not created for a login that could not be. The credential is stored before any other system sees it,
    the finalizer is set before anything is created over REST, and what holds the record of a pair (its Secret, its
    Integration, the finalizer) goes after what it is the record of.
    """
    if isinstance(failed, Apply) and failed.first:
        return isinstance(action, _MAKING) and action.kind in ("MessagingUser", "Connection")
    if _creates(failed) and failed.kind == "MessagingUser" and _creates(action) and action.kind == "Connection":
        return True
    if isinstance(failed, Finalize) and failed.present:
        return isinstance(action, Deliver)
    if isinstance(failed, (Remove, Withdraw)):
        ends_a_record = isinstance(action, Remove) and action.kind in ("Secret", "Integration")
        return ends_a_record or (isinstance(action, Finalize) and not action.present)
    return False


def _creates(action: Action) -> bool:
    """Check if an action makes something that is not there yet."""
    new = isinstance(action, Apply) and action.uid is None
    return new or (isinstance(action, Deliver) and not action.known.exists)


def _waiting(action: Action, needed: Action) -> list[Finding]:
    if not isinstance(action, _MAKING):
        return []
    return [Finding(SIDE_OF[action.kind], "False", "Waiting", f"waits for {SIDE_OF[needed.kind]}")]


def _worth_saying(action: Action, error: Failure) -> bool:
    """Check if a user should hear of a failure: a conflict passes by itself, unless the object is new.

    Then a foreign object has its name.
    """
    quiet = error.is_quiet if isinstance(error, BesideFailed) else error.quiet
    return not quiet or (isinstance(action, Apply) and action.uid is None and isinstance(error, Conflict))


def _trouble(action: Action, error: Failure) -> Finding:
    if isinstance(error, Conflict):
        reason = "NameTaken"
        message = f"{action.kind} {action.ref} exists and is not this pair's; rename or delete it"
    else:
        reason, message = error.reason or "ServerError", f"{action.kind} {action.ref}: {error.message}"
    return Finding(SIDE_OF[action.kind], "False", reason, sanitized(message))
