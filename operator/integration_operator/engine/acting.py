"""The only place that writes: actions are done in their order, and what came of each is said.

Resources are seen in the stores afterwards; what was done over REST is noted in the register.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog

from integration_operator.api import names
from integration_operator.cluster import Cluster
from integration_operator.delivery import Delivery, RemoteDelivery
from integration_operator.domain.actions import Action, Apply, Deliver, Finalize, LetGo, Remove, Withdraw
from integration_operator.domain.conditions import Announcement, Finding, Type
from integration_operator.domain.failure import Deferred, Failure
from integration_operator.domain.integration import Integration, first_of
from integration_operator.domain.pair import Pair, Ref
from integration_operator.domain.remote import Remote
from integration_operator.engine.events import EventRecorder
from integration_operator.engine.gathering import Gatherer
from integration_operator.engine.guards import RepairLimit
from integration_operator.engine.register import RemoteRegister
from integration_operator.kube.errors import Conflict

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
    longest: float | None = None


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
        over_rest: Mapping[str, RemoteDelivery],
        *,
        clock: Callable[[], float],
    ) -> None:
        self._cluster = cluster
        self._gatherer = gatherer
        self._register = register
        self._events = events
        self._delivery = delivery
        self._over_rest = over_rest
        self._clock = clock
        self._repairs = RepairLimit()
        self._futile: dict[tuple[str, Ref], dict[str, Any]] = {}
        self._log = structlog.get_logger(__name__)

    async def act(self, pair: Pair, actions: Iterable[Action]) -> Outcome:
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
                    wait = self._register.period  # nobody tells when it has changed
                again = not error.stalls and not isinstance(error, Deferred)  # that comes back when it may be asked
                return Outcome(troubles=troubles, retry=again, wait=wait, longest=error.longest_delay)
            outcome.again = True
        return outcome

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
            case Deliver() | Withdraw():
                await self._do_over_rest(pair, action, log)
            case LetGo():
                self._let_go(pair, action)
                log.info("let go")

    def _let_go(self, pair: Pair, action: LetGo) -> None:
        """Take a side as no concern of ours any more, and say what stays of it."""
        integration = self._integration_of(pair)
        self._register.note(integration, action.kind, Remote())
        if action.left_behind:
            left = f"{action.kind} {action.ref} could not be reached for too long and is left behind"
            self._events.post(integration, Announcement("Warning", "LeftBehind", left))

    async def _do_over_rest(self, pair: Pair, action: Deliver | Withdraw, log: Any) -> None:
        """Do what no store will show, and note what came of it."""
        integration = self._integration_of(pair)
        delivery = self._over_rest.get(action.how)
        if delivery is None:
            raise Failure("DeliveryNotAvailable", f"delivery {action.how!r} is not set up")
        if isinstance(action, Deliver) and not integration.holds_rest_state:
            raise FinalizerMissing("FinalizerMissing", "the finalizer was taken off just now")
        warning = None
        try:
            if isinstance(action, Deliver):
                side = await delivery.deliver(action)
            else:
                side, warning = Remote(), await delivery.withdraw(action)
        except Exception:
            self._register.doubt(integration, action.kind, action.how, action.username)
            raise
        self._register.note(integration, action.kind, side)
        if warning is not None:
            self._events.post(integration, warning)
        log.info("delivered" if isinstance(action, Deliver) else "withdrawn", how=action.how)

    def _integration_of(self, pair: Pair) -> Integration:
        integration = next(iter(first_of(self._gatherer.integrations_of(pair))), None)
        if integration is None:
            raise FinalizerMissing("IntegrationGone", "the Integration went just now")
        return integration

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


def _worth_saying(action: Action, error: Failure) -> bool:
    """A conflict passes by itself, unless it is about a new object: then a stranger has its name."""
    return not error.quiet or (isinstance(action, Apply) and action.uid is None and isinstance(error, Conflict))


def _trouble(action: Action, error: Failure) -> Finding:
    if isinstance(error, Conflict):
        reason, message = "NameTaken", f"{action.kind} {action.ref} is there already and is not ours"
    else:
        reason, message = error.reason or "ServerError", f"{action.kind} {action.ref}: {error.message}"
    return Finding(SIDE_OF[action.kind], "False", reason, message[:1024])
