"""Execution: the only place that writes. The actions of a plan are done in their order.

The cache shows afterwards what was done to resources; what was done over REST is noted in the remote state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import structlog

from integration_operator.api import names
from integration_operator.backends import Backend
from integration_operator.cache import Cache
from integration_operator.controllers.integration.gather import Gatherer
from integration_operator.controllers.integration.guards import CreationLimit, RepairLimit
from integration_operator.controllers.integration.remote_calls import RemoteCalls
from integration_operator.controllers.integration.remote_state import RemoteStateStore
from integration_operator.domain.model.actions import (
    Action,
    Apply,
    Delete,
    DeleteRemote,
    EnsureRemote,
    Release,
    SetFinalizer,
)
from integration_operator.domain.model.conditions import ConditionType, waiting
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.remote_state import RemoteState
from integration_operator.runtime.backoff import MAX_DELAY
from integration_operator.runtime.conditions import Condition, Event
from integration_operator.runtime.errors import Conflict, Failure, Incomplete
from integration_operator.runtime.event_recorder import EventRecorder
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.text import sanitized

SIDE_OF: dict[str, ConditionType] = {
    "Integration": "Paired",
    "Secret": "CredentialsReady",
    "MessagingUser": "UserReady",
    "Connection": "ConnectionReady",
}
"""The condition that reports on each kind."""

FIGHT = 3
"""Deletions of one object by others that users should read of: one or two may be the end of what owns it."""


@dataclass(slots=True)
class Outcome:
    """What came of the actions of one pass.

    ``again`` asks for another pass over the pair. ``conditions`` replace those of the plan. ``incomplete`` is raised
    once they are reported: something is left to do. ``requeue_after`` are the seconds until a repair may be done.
    """

    again: bool = False
    conditions: list[Condition] = field(default_factory=list)
    incomplete: Incomplete | None = None
    requeue_after: float = 0.0

    def wait_for(self, seconds: float) -> None:
        """Requeue after these seconds at the latest."""
        self.requeue_after = min(self.requeue_after or seconds, seconds)

    def fail(self, error: Failure) -> None:
        """Take over the policy of a failure. A remote call that failed is retried by itself."""
        if isinstance(error, RemoteCallFailed) or error.stalls:
            return
        before = self.incomplete or Incomplete(max_delay=MAX_DELAY)
        self.incomplete = Incomplete(
            retry_after=max(before.retry_after or 0.0, error.retry_after or 0.0),
            max_delay=min(before.max_delay, error.max_delay),
        )


class RemoteCallFailed(Failure):
    """A call over REST has failed; it is retried beside the reconciles of its pair (remote_calls.py)."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason, failure.message)
        self.quiet = failure.quiet


class FinalizerMissing(Failure):
    """State over REST was about to be created without a finalizer that keeps its record."""

    quiet = True


class Executor:
    """Carries out the actions of plans."""

    def __init__(
        self,
        cache: Cache,
        gatherer: Gatherer,
        remote_states: RemoteStateStore,
        events: EventRecorder,
        backend: Backend,
        remote_calls: RemoteCalls,
        *,
        clock: Callable[[], float],
    ) -> None:
        self._cache = cache
        self._gatherer = gatherer
        self._remote_states = remote_states
        self._events = events
        self._backend = backend
        self._remote_calls = remote_calls
        self._clock = clock
        self._repairs = RepairLimit()
        self._creations = CreationLimit()
        self._futile: dict[tuple[str, Ref], dict[str, Any]] = {}
        self._log = structlog.get_logger(__name__)

    async def execute(self, pair: Pair, actions: Iterable[Action]) -> Outcome:
        """Carry out actions in their order.

        An action that fails stops only those that need it: a Secret that cannot be changed keeps no endpoint from being
        corrected, and a Syndesis that is down keeps no login open.
        """
        outcome = Outcome()
        failed: list[Action] = []
        for action in actions:
            if self._is_futile(action):
                continue
            if needed := next((earlier for earlier in failed if _needs(action, earlier)), None):
                outcome.conditions += _waits(action, needed)
            elif seconds := self._wait(action):
                outcome.conditions += self._contested(action)
                outcome.wait_for(seconds)
                failed.append(action)
            else:
                try:
                    outcome.again |= await self._execute(pair, action)
                except Failure as error:
                    log = self._log_of(pair, action)
                    log.warning("action failed", error=str(error))
                    outcome.conditions += [_failed(action, error)] if self._is_reported(action, error) else []
                    outcome.fail(error)
                    failed.append(action)
        return outcome

    async def _execute(self, pair: Pair, action: Action) -> bool:
        """Carry out an action; return False if it continues beside this reconcile, or waits for a retry."""
        log = self._log_of(pair, action)
        match action:
            case Apply() if action.kind == "Integration" and action.uid is None:
                with self._gatherer.offers.reserved(pair) as reserved:
                    if not reserved:
                        return True  # the next pass reports it
                    await self._apply(pair, action, log)
            case Apply():
                await self._apply(pair, action, log)
            case Delete():
                await self._delete(action)
                log.info("deleted")
            case SetFinalizer():
                await self._set_finalizer(action)
                log.info("finalizer set" if action.present else "finalizer removed")
            case EnsureRemote() | DeleteRemote():
                return await self._call(pair, action)
            case Release():
                self._release(pair, action)
                log.info("released")
        return True

    def _log_of(self, pair: Pair, action: Action) -> Any:
        return self._log.bind(pair=str(pair), kind=action.kind, **action.ref._asdict(), why=action.why)

    async def _apply(self, pair: Pair, action: Apply, log: Any) -> None:
        dropped = await self._backend.apply(action)
        if action.uid is None:
            self._creations.note(action.kind, action.ref, self._clock())
        if dropped:
            self._futile[action.kind, action.ref] = action.document
            log.warning("fields dropped by the server", fields=dropped)
        if action.kind == "Integration":
            self._gatherer.observe_offer(pair)
        log.info("applied")

    async def _delete(self, action: Delete) -> None:
        if action.kind == "Integration":
            self._gatherer.expect_deletion(action.uid)
        await self._backend.delete(action)
        self._futile.pop((action.kind, action.ref), None)
        self._repairs.forget(action.kind, action.ref)
        self._creations.forget(action.kind, action.ref)

    async def _set_finalizer(self, action: SetFinalizer) -> None:
        """Add our finalizer to an Integration or remove it, with its annotation, and change nothing else of it."""
        integration = self._cache.integrations.get(action.ref)
        if integration is not None and action.present:
            self._remote_states.begin(integration)
        await self._cache.writer("Integration", names.FIELD_MANAGER).set_finalizer(
            action.ref,
            action.uid,
            names.REST_STATE_FINALIZER,
            present=action.present,
            annotations={names.REST_USER: action.user} if action.user else {},
            manager=names.FINALIZER_MANAGER,
        )

    async def _call(self, pair: Pair, action: EnsureRemote | DeleteRemote) -> bool:
        """Start a call over REST; return True if it is done already."""
        integration = self._integration_of(pair)
        if isinstance(action, EnsureRemote) and not integration.holds_rest_state:
            raise FinalizerMissing("FinalizerMissing", "The finalizer was removed just now")
        if failure := await self._remote_calls.start(integration, action):
            raise RemoteCallFailed(failure)
        return not self._remote_calls.is_busy(integration)

    def _release(self, pair: Pair, action: Release) -> None:
        """Stop tracking one side over REST; emit an Event if it is orphaned."""
        integration = self._integration_of(pair)
        self._remote_states.note(integration, action.kind, RemoteState(), username=action.username)
        if action.orphaned:
            server = "EnMasse" if action.kind == "MessagingUser" else "Syndesis"
            left = f"{action.kind} {action.ref} stays in {server}, which did not answer for too long; delete it there"
            self._events.record(integration.reference, Event("Warning", "LeftBehind", left))

    def _integration_of(self, pair: Pair) -> Integration:
        integration = self._gatherer.integration_of(pair)
        if integration is None:
            raise FinalizerMissing("IntegrationGone", "The Integration was deleted just now")
        return integration

    def _is_futile(self, action: Action) -> bool:
        """Check if this document was applied before, and the server did not keep all of it."""
        if not isinstance(action, Apply) or action.uid is None:
            return False
        return self._futile.get((action.kind, action.ref)) == action.document

    def _wait(self, action: Action) -> float:
        """Return the seconds until an object may be created or repaired again, 0.0 for now."""
        if not isinstance(action, Apply):
            return 0.0
        if action.uid is None:
            return self._creations.wait(action.kind, action.ref, self._clock())
        document = {**action.document, "uid": action.uid}  # an object that was created again is not one that changed
        return self._repairs.wait(action.kind, action.ref, document, self._clock())

    def _is_reported(self, action: Action, error: Failure) -> bool:
        """Check if a user should read of a failure. A conflict passes, unless an object that is not shown has the name.

        One that the cache has by now is judged in the next pass.
        """
        if not error.quiet:
            return True
        is_new = isinstance(action, Apply) and action.uid is None
        return is_new and isinstance(error, Conflict) and self._cache.store(action.kind).get(action.ref) is None

    def _contested(self, action: Action) -> list[Condition]:
        """Return the condition that another client undoes an action; none for a deletion that may be the last one."""
        times = self._creations.times(action.kind, action.ref)
        if isinstance(action, Apply) and action.uid is None:
            message = f"{_object(action)} was deleted {times} times by another client; stop it, or disable this"
            return [Condition(_condition_of(action), "False", "ObjectContested", message)] if times >= FIGHT else []
        cached = self._cache.store(action.kind).get(action.ref)
        live = cached.live if isinstance(cached, Integration) else cached
        managers = " or ".join(sorted(set(live.rivals))) if live else ""
        rival = f"another field manager ({managers})" if managers else "a client that names no field manager"
        message = f"{_object(action)} is changed again and again ({action.why}) by {rival}; stop it from that"
        return [Condition(_condition_of(action), "False", "FieldContested", message)]


def _condition_of(action: Action) -> ConditionType:
    """Return the type of the condition that reports on an action."""
    if not isinstance(action, (Release, SetFinalizer)) and action.rotation:
        return "Rotating"
    return SIDE_OF[action.kind]


def _needs(action: Action, failed: Action) -> bool:
    """Check if an action cannot be done because an earlier one failed.

    A connection is not created for a login that could not be created. The credential is stored before any other system
    sees it, and the finalizer is set before anything is created over REST. What records a pair (its Secret, its
    Integration, the finalizer) is deleted after what it records.
    """
    if isinstance(failed, Apply) and failed.first:
        return isinstance(action, (Apply, EnsureRemote)) and action.kind in ("MessagingUser", "Connection")
    if _creates(failed) and failed.kind == "MessagingUser" and _creates(action) and action.kind == "Connection":
        return True
    if isinstance(failed, SetFinalizer) and failed.present:
        return isinstance(action, EnsureRemote)
    if isinstance(failed, (Delete, DeleteRemote)):
        deletes_record = isinstance(action, Delete) and action.kind in ("Secret", "Integration")
        return deletes_record or (isinstance(action, SetFinalizer) and not action.present)
    return False


def _creates(action: Action) -> bool:
    """Check if an action creates something that does not exist yet."""
    creates = isinstance(action, Apply) and action.uid is None
    return creates or (isinstance(action, EnsureRemote) and not action.remote.present)


def _waits(action: Action, needed: Action) -> list[Condition]:
    if not isinstance(action, (Apply, EnsureRemote)):
        return []
    return [waiting(SIDE_OF[action.kind], SIDE_OF[needed.kind])]


def _failed(action: Action, error: Failure) -> Condition:
    if isinstance(error, Conflict):
        reason, message = "NameTaken", f"{_object(action)} exists and is not this pair's; rename or delete it"
    else:
        reason, message = error.reason or "ServerError", f"{_object(action)}: {error.message}"
    return Condition(_condition_of(action), "False", reason, sanitized(message))


def _object(action: Action) -> str:
    return f"{action.kind} {action.ref}"
