"""One fault at one boundary of a run: whether it is this one, and what happens then."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tests.support.faults.boundaries import Boundary
from tests.support.faults.faults import Fault

LATE = 0.5
"""Seconds after the next process runs at which a request is delivered late, if that has not written."""


@dataclass
class Injection:
    """The fault of a run. Without one nothing is ever hit."""

    fault: Fault | None = None
    boundary: Boundary | None = None
    kill: Callable[[int], None] = lambda life: None
    """Kills the process with a number."""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the fault was injected."""
    event_passed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set for a moment when any event of a watch is sent."""
    _held_of: int | None = None
    """The process whose request was kept."""
    _overtaker: str = ""
    """The write after which a request is delivered; empty for before any other."""
    _waits: bool = False
    """True if the request is delivered after the overtaker only, or at last."""
    _late: Callable[[], Awaitable[None]] | None = None
    _late_lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def hits(self, boundary: Boundary | None) -> Fault | None:
        """Return the fault if this is its boundary, and it was not injected before."""
        if self.fault is None or boundary is None or boundary != self.boundary or self.reached.is_set():
            return None
        self.reached.set()
        return self.fault

    def hold(
        self, life: int, deliver: Callable[[], Awaitable[None]], overtaker: str = "", *, waits: bool = False
    ) -> None:
        """Keep a request of a process that is killed now, to be delivered when another one runs.

        It is delivered before the next write, or after ``overtaker``, but no later than a moment after the next process
        runs; if it ``waits``, no later than ``deliver_at_last``.
        """
        self._held_of, self._late, self._overtaker, self._waits = life, deliver, overtaker, waits

    async def before_write(self, life: int) -> None:
        """Deliver the request that is kept, if any; whoever comes in the meantime waits for it."""
        if self._comes_after(life) and not self._overtaker:
            await self._deliver()

    async def after_write(self, life: int, what: str) -> None:
        """Deliver the request that is kept, if this write had to come first."""
        if self._comes_after(life) and self._overtaker == what:
            await self._deliver()

    async def next_runs(self, life: int) -> None:
        """Deliver the request that is kept after a while: the next process has read all kinds now, and may write."""
        if self._late is not None and self._comes_after(life) and not self._waits:
            await asyncio.sleep(LATE)
            await self._deliver()

    async def deliver_at_last(self) -> bool:
        """Deliver the request that is still kept, if any; return True if one was."""
        kept = self._late is not None
        await self._deliver()
        return kept

    def _comes_after(self, life: int) -> bool:
        """Return True for a process that is another than the killed one."""
        return self._held_of is not None and life != self._held_of

    async def _deliver(self) -> None:
        async with self._late_lock:
            if self._late is not None:
                deliver, self._late = self._late, None
                await deliver()

    def sent_event(self) -> None:
        """Release what waits for the next event of another kind."""
        self.event_passed.set()
        self.event_passed = asyncio.Event()
