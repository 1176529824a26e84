"""Calls over REST, beside the workers: one call at a time for each side of each Integration.

A tenant runs its Syndesis server and can let every call hang. A worker that waited for it would keep the pair, and with
it the pair's login, from being reconciled, and a few such servers would keep all workers. So a worker starts a call,
waits for a moment, and continues; the end of the call requeues the pair.

A call that fails is retried with its own back-off. A changed desired state, or a changed Integration, does not wait for
it. A call that was not sent (``Deferred``) is no failure: it comes back when the server does.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from integration_operator.backends import RemoteBackend
from integration_operator.controllers.integration.remote_state import RemoteStateStore
from integration_operator.domain.model.actions import ChildKind, DeleteRemote, EnsureRemote
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.remote_state import RemoteState
from integration_operator.runtime import tracing
from integration_operator.runtime.backoff import backoff
from integration_operator.runtime.conditions import Event
from integration_operator.runtime.errors import Failure
from integration_operator.runtime.ref import ObjectReference

Call = EnsureRemote | DeleteRemote

MOMENT = 0.5
"""Seconds that a worker waits for a first call. A server in the same cluster answers within a few hundredths, and then
the outcome is reported in one write; 60 pairs on a server that hangs cost 32 workers one second, once."""


@dataclass(slots=True)
class _Side:
    """The call for one side: the one that runs, or the last one and how it failed."""

    call: Call
    desired: tuple[object, ...]
    task: asyncio.Task[None] | None = None
    failure: Failure | None = None
    tries: int = 0
    not_before: float = 0.0
    timer: asyncio.TimerHandle | None = None
    turn: float = 0.0
    """When a deferred call is to be tried."""

    def wait(self, now: float, seconds: float) -> float:
        """Return the seconds for which a deferred call waits.

        A call that replaces one which waited takes its turn: no other call tries the server then.
        """
        self.turn = min(self.turn, now + seconds) if self.turn > now else now + seconds
        return self.turn - now

    def cancel_timer(self) -> None:
        """Cancel the retry."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class RemoteCalls:
    """Runs the calls; ``requeue`` puts a pair back into the queue, ``record`` posts an Event."""

    def __init__(
        self,
        backends: Mapping[str, RemoteBackend],
        remote_states: RemoteStateStore,
        requeue: Callable[[Pair], None],
        record: Callable[[ObjectReference, Event], None],
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._backends = backends
        self._remote_states = remote_states
        self._requeue = requeue
        self._record = record
        self._clock = clock
        self._jitter = jitter
        self._sides: dict[tuple[str, ChildKind, str | None], _Side] = {}
        """By the Integration's uid, the kind, and the user name of a user: there may be two."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._deleting_since: dict[str, float] = {}
        self._cut_off = False
        """True if a call was cancelled: it may still take effect."""
        self._log = structlog.get_logger(__name__)
        for delivery, backend in backends.items():
            backend.on_recovery(lambda namespace, delivery=delivery: self._recovered(delivery, namespace))  # type: ignore[misc]

    async def start(self, integration: Integration, call: Call) -> Failure | None:
        """Start a call, unless one runs or the same one failed a moment ago; return why the last one failed.

        Return after a moment at most. None means that the call succeeded, or runs.
        """
        key = integration.live.uid, call.kind, call.username if call.kind == "MessagingUser" else None
        side = self._sides.get(key)
        if side is not None and side.task is not None:
            return side.failure
        desired = (integration.generation, *_desired(call))
        if side is not None and side.desired == desired and self._clock() < side.not_before:
            return side.failure
        if side is not None:
            side.cancel_timer()
        if side is None or side.desired != desired:
            side = _Side(call, desired, turn=side.turn if side is not None else 0.0)
        side.call = call
        self._sides[key] = side
        name = f"{type(call).__name__} {call.kind} {call.pair}"
        side.task = asyncio.create_task(self._run(integration, side), name=name)
        self._tasks.add(side.task)
        side.task.add_done_callback(self._tasks.discard)
        if side.tries == 0:
            await asyncio.wait({side.task}, timeout=MOMENT)
        return side.failure

    def is_busy(self, integration: Integration) -> bool:
        """Check if a call for an Integration runs."""
        sides = list(self._sides.items())
        return any(uid == integration.live.uid and side.task is not None for (uid, _, _), side in sides)

    def seconds_deleting(self, integration: Integration) -> float:
        """Return the seconds for which this process has tried to take down an Integration that is being deleted.

        The time in which the process did not run does not count, nor does a wall clock.
        """
        if not integration.live.deleting:
            return 0.0
        now = self._clock()
        return now - self._deleting_since.setdefault(integration.live.uid, now)

    def forget(self, integration: Integration) -> None:
        """Forget an Integration that is gone. A call that runs ends by itself."""
        self._deleting_since.pop(integration.live.uid, None)
        for key in [key for key in self._sides if key[0] == integration.live.uid]:
            self._sides.pop(key).cancel_timer()

    async def stop(self, seconds: float) -> bool:
        """Wait for calls to finish, and cancel those that do not in time; return True if all have finished."""
        for side in self._sides.values():
            side.cancel_timer()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        return not self._cut_off

    async def _run(self, integration: Integration, side: _Side) -> None:
        call = side.call
        log = self._log.bind(
            pair=str(call.pair), kind=call.kind, **call.ref._asdict(), delivery=call.delivery, why=call.why
        )
        try:
            await self._call(integration, call)
        except Failure as error:
            self._fail(side, error, log)
        except asyncio.CancelledError:
            self._cut_off = True
            self._remote_states.doubt(integration, call.kind, call.delivery, call.username)
            raise
        except Exception as error:  # a defect in one call must not stop the others
            log.exception("remote call panicked")
            message = f"Internal error ({type(error).__name__}); see the operator's log"
            self._fail(side, Failure("Defect", message), log)
        else:
            side.failure, side.tries = None, 0
            log.info("ensured over REST" if isinstance(call, EnsureRemote) else "deleted over REST")
            self._requeue(call.pair)
        finally:
            side.task = None

    async def _call(self, integration: Integration, call: Call) -> None:
        backend = self._backends.get(call.delivery)
        if backend is None:
            raise Failure("DeliveryNotAvailable", f"This operator has no delivery {call.delivery!r}")
        warning, platform = None, ""
        try:
            with tracing.step(*_span(call)):
                if isinstance(call, EnsureRemote):
                    state, platform = await backend.ensure(call), call.platform
                else:
                    state, warning = RemoteState(call.delivery, id=call.username), await backend.delete(call)
        except Exception:  # a call that is deferred may follow one that was sent
            self._remote_states.doubt(integration, call.kind, call.delivery, call.username)
            raise
        self._remote_states.note(integration, call.kind, state, username=call.username, platform=platform)
        if warning is not None:
            self._record(integration.reference, warning)

    def _fail(self, side: _Side, error: Failure, log: Any) -> None:
        side.failure = error
        if error.deferred:
            seconds = side.wait(self._clock(), error.retry_after or 0.0)
        else:
            seconds = max(backoff(side.tries, self._jitter(), error.max_delay), error.retry_after or 0.0)
            side.tries += 1
        if error.stalls:
            seconds = self._remote_states.period  # no event shows when a user has changed it
        side.not_before = self._clock() + seconds
        level = logging.DEBUG if error.deferred else logging.WARNING  # of many that wait for one server
        log.log(level, "remote call failed", error=str(error), retry_in=round(seconds, 1))
        self._requeue(side.call.pair)  # to report it
        side.timer = asyncio.get_running_loop().call_later(seconds, self._requeue, side.call.pair)

    def _recovered(self, delivery: str, namespace: str | None) -> None:
        """Retry at once what waits for a server that answers again."""
        for side in self._sides.values():
            call = side.call
            if side.failure is None or side.task is not None or side.failure.stalls or call.delivery != delivery:
                continue
            if namespace in (None, call.pair.consumer.namespace):
                side.not_before = 0.0
                self._requeue(call.pair)


def _desired(call: Call) -> tuple[object, ...]:
    """Return what distinguishes two calls for one side."""
    if isinstance(call, EnsureRemote):
        return "ensure", call.delivery, call.applied, call.credentials, call.username, call.platform
    return "delete", call.delivery, call.username


def _span(call: Call) -> tuple[str, dict[str, str]]:
    """Return name and attributes of the span of a call, which may last longer than the reconcile that started it."""
    name = "ensure over REST" if isinstance(call, EnsureRemote) else "delete over REST"
    return name, {
        "call.pair": str(call.pair),
        "call.kind": call.kind,
        "call.namespace": call.ref.namespace,
        "call.name": call.ref.name,
        "call.delivery": call.delivery,
        "call.why": call.why,
    }
