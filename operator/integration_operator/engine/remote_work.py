"""What is done over REST, beside the workers: one call at a time for each side of each Integration.

A tenant runs its Syndesis server and can let every call hang. A worker that waited for it would keep the pair, and with
it the pair's login, from being looked at, and a few such servers would keep all workers. So a worker only starts a
call, waits for a moment, and goes on; the end of the call brings the pair back into the queue.

A call that fails is repeated with a back-off of its own. A changed wish, or a change of the Integration, does not wait
for it. A call that was not sent (``Deferred``) is no failure: it comes back when the server does.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from integration_operator.delivery import RemoteDelivery
from integration_operator.domain.actions import Child, Deliver, Withdraw
from integration_operator.domain.conditions import Announcement
from integration_operator.domain.failure import Failure
from integration_operator.domain.integration import Integration
from integration_operator.domain.pair import Pair
from integration_operator.domain.remote import Remote
from integration_operator.engine.backoff import backoff
from integration_operator.engine.register import RemoteRegister

Call = Deliver | Withdraw

MOMENT = 0.5
"""Seconds a worker waits for a first call. A server in the same cluster answers within a few hundredths, and then the
outcome is reported in one write; 60 pairs on a server that hangs cost 32 workers a second once."""


@dataclass(slots=True)
class _Side:
    """The call for one side: the one under way, or the last one and how it failed."""

    call: Call
    wish: tuple[object, ...]
    task: asyncio.Task[None] | None = None
    failure: Failure | None = None
    tries: int = 0
    not_before: float = 0.0
    timer: asyncio.TimerHandle | None = None

    def cancel_timer(self) -> None:
        """Forget when it was to be tried again."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class RemoteWork:
    """Calls over REST; ``again`` puts a pair back into the queue."""

    def __init__(
        self,
        deliveries: Mapping[str, RemoteDelivery],
        register: RemoteRegister,
        again: Callable[[Pair], None],
        announce: Callable[[Integration, Announcement], None],
        *,
        clock: Callable[[], float],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._deliveries = deliveries
        self._register = register
        self._again = again
        self._announce = announce
        self._clock = clock
        self._jitter = jitter
        self._sides: dict[tuple[str, Child], _Side] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._deleting_since: dict[str, float] = {}
        self._log = structlog.get_logger(__name__)
        for name, delivery in deliveries.items():
            delivery.on_recovery(lambda namespace, how=name: self._recovered(how, namespace))  # type: ignore[misc]

    async def start(self, integration: Integration, call: Call) -> Failure | None:
        """Start a call, unless one is under way or the same one failed a moment ago; return why it failed last.

        Returns after a moment at most: None says that it succeeded, or is under way.
        """
        key = integration.live.uid, call.kind
        side = self._sides.get(key)
        if side is not None and side.task is not None:
            return side.failure
        wish = (integration.generation, *_wish(call))
        if side is not None and side.wish == wish and self._clock() < side.not_before:
            return side.failure
        if side is not None:
            side.cancel_timer()
        if side is None or side.wish != wish:
            side = _Side(call, wish)
        side.call = call
        self._sides[key] = side
        side.task = asyncio.create_task(
            self._run(integration, side), name=f"{type(call).__name__} {call.kind} {call.pair}"
        )
        self._tasks.add(side.task)
        side.task.add_done_callback(self._tasks.discard)
        if side.tries == 0:
            await asyncio.wait({side.task}, timeout=MOMENT)
        return side.failure

    def busy(self, integration: Integration) -> bool:
        """Check if a call for an Integration is under way."""
        return any(
            uid == integration.live.uid and side.task is not None for (uid, _), side in list(self._sides.items())
        )

    def seconds_deleting(self, integration: Integration) -> float:
        """Return for how many seconds this process has tried to take down a deleted Integration.

        The time that the process was not running does not count, nor does any wall clock.
        """
        if not integration.live.deleting:
            return 0.0
        now = self._clock()
        return now - self._deleting_since.setdefault(integration.live.uid, now)

    def forget(self, integration: Integration) -> None:
        """Forget an Integration that is gone; a call that is under way ends by itself."""
        self._deleting_since.pop(integration.live.uid, None)
        for key in [key for key in self._sides if key[0] == integration.live.uid]:
            self._sides.pop(key).cancel_timer()

    async def stop(self, seconds: float) -> None:
        """Let what is under way finish, and cancel what does not in time."""
        for side in self._sides.values():
            side.cancel_timer()
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def _run(self, integration: Integration, side: _Side) -> None:
        call = side.call
        log = self._log.bind(pair=str(call.pair), kind=call.kind, object=str(call.ref), how=call.how, why=call.why)
        try:
            await self._do(integration, call)
        except Failure as error:
            self._failed(side, error, log)
        except asyncio.CancelledError:
            self._register.doubt(integration, call.kind, call.how, call.username)
            raise
        except Exception as error:  # a defect in one call must not stop the others
            log.exception("unexpected")
            self._failed(
                side, Failure("Defect", f"internal error ({type(error).__name__}); see the operator's log"), log
            )
        else:
            side.failure, side.tries = None, 0
            log.info("delivered" if isinstance(call, Deliver) else "withdrawn")
            self._again(call.pair)
        finally:
            side.task = None

    async def _do(self, integration: Integration, call: Call) -> None:
        delivery = self._deliveries.get(call.how)
        if delivery is None:
            raise Failure("DeliveryNotAvailable", f"this operator has no delivery {call.how!r}")
        warning = None
        try:
            if isinstance(call, Deliver):
                side = await delivery.deliver(call)
            else:
                side, warning = Remote(), await delivery.withdraw(call)
        except Exception:  # a call that is deferred may follow one that was made
            self._register.doubt(integration, call.kind, call.how, call.username)
            raise
        self._register.note(integration, call.kind, side, platform=call.platform if isinstance(call, Deliver) else "")
        if warning is not None:
            self._announce(integration, warning)

    def _failed(self, side: _Side, error: Failure, log: Any) -> None:
        side.failure = error
        if error.deferred:
            seconds = error.retry_after or 0.0
        else:
            seconds = max(backoff(side.tries, self._jitter(), error.longest_delay), error.retry_after or 0.0)
            side.tries += 1
        if error.stalls:
            seconds = self._register.period  # nothing tells when it has changed
        side.not_before = self._clock() + seconds
        log.info("refused", error=str(error), retry_in=round(seconds, 1))
        self._again(side.call.pair)  # to say so
        side.timer = asyncio.get_running_loop().call_later(seconds, self._again, side.call.pair)

    def _recovered(self, how: str, namespace: str | None) -> None:
        """Try again at once what waits for a server that answers again."""
        for side in self._sides.values():
            call = side.call
            if side.failure is None or side.task is not None or side.failure.stalls or call.how != how:
                continue
            if namespace in (None, call.pair.syndesis.namespace):
                side.not_before = 0.0
                self._again(call.pair)


def _wish(call: Call) -> tuple[object, ...]:
    """Return what tells two calls for one side apart."""
    if isinstance(call, Deliver):
        return "deliver", call.how, call.applied, call.credentials, call.username, call.platform
    return "withdraw", call.how, call.username
