"""A work queue of keys, modelled on client-go's workqueue.

A key is in the queue at most once, and only one worker processes it at a time. A key that is added while it is being
processed is processed once more. A key that failed is retried with exponential back-off and jitter. A worker reads the
stores, so ten changes in a row need one reconcile.

A key may belong to a group, such as the namespace whose server it needs. A group uses at most its share of the workers,
so a server that hangs does not block the keys of other groups. Each key is rate limited.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import Counter, deque
from collections.abc import Callable, Hashable
from contextlib import suppress
from typing import Generic, TypeVar

from integration_operator.runtime.backoff import MAX_DELAY, backoff
from integration_operator.runtime.token_bucket import TokenBuckets

K = TypeVar("K", bound=Hashable)

BURST, PER_SECOND = 20, 2.0
"""Reconciles of one key. A user who enables or disables a pair causes about four. If a tenant changes its objects all
the time, the last state is reconciled within half a second, with a dozen writes a second."""


class WorkQueue(Generic[K]):
    """A work queue with delays, back-off, groups and rate limits.

    ``on_get`` is called with the seconds that each key waited for a worker.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] | None = None,
        jitter: Callable[[], float] = random.random,
        group_of: Callable[[K], Hashable] | None = None,
        share: int = 1,
        rate_limit: TokenBuckets[K] | None = None,
        on_get: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._group_of = group_of
        self._on_get = on_get
        self._share = share
        self._busy: Counter[Hashable] = Counter()
        self._parked: dict[Hashable, deque[K]] = {}
        """Ready keys, by group, that wait until their group uses less than its share of the workers."""
        self._clock = clock or asyncio.get_running_loop().time
        self._jitter = jitter
        self._ready: deque[K] = deque()
        self._waiting: dict[K, float] = {}
        """The ready keys, and since when."""
        self._working: dict[K, float] = {}
        self._waited: dict[K, float] = {}
        """The keys that are being processed, and for how many seconds each waited."""
        self._again: set[K] = set()
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._rate_limit = rate_limit
        self._paced: set[K] = set()
        """Keys that wait for a token of their rate limit."""
        self._sequence = 0
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._shut_down = False
        self.retries = 0
        """How often a key that failed was queued again."""
        self.paused = False
        """True if the queue takes no keys: this process stands by, and adds all keys when it leads."""

    def __len__(self) -> int:
        return len(self._ready) + len(self._again) + sum(map(len, self._parked.values()))

    @property
    def idle(self) -> bool:
        """True if no key is ready or being processed; delayed keys do not count."""
        return not self._ready and not self._working

    @property
    def retrying(self) -> int:
        """The number of keys that failed and have not succeeded since."""
        return len(self._failures)

    @property
    def oldest(self) -> float:
        """Seconds since the start of the longest running reconcile."""
        return self._clock() - min(self._working.values()) if self._working else 0.0

    def add(self, key: K) -> None:
        """Queue the key for the next free worker."""
        if self._shut_down or self.paused or key in self._paced:
            return
        self._due.pop(key, None)
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting[key] = self._clock()
            self._ready.append(key)
            self._changed.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Queue the key after ``seconds``; ``add`` in the meantime replaces the delay."""
        due = self._clock() + seconds
        if self._shut_down or self.paused or self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._later, (due, self._sequence, key))
        self._changed.set()

    def add_rate_limited(self, key: K, *, at_least: float = 0.0, max_delay: float = MAX_DELAY) -> float:
        """Queue a key that failed after its back-off, which ``max_delay`` bounds; return the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.retries += 1
        delay = max(backoff(failures, self._jitter(), max_delay), at_least)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Reset the back-off of the key."""
        self._failures.pop(key, None)

    async def get(self) -> K | None:
        """Return the next key, None after shutdown. The worker calls ``done`` when it has finished."""
        while not self._shut_down:
            self._promote()
            if (key := self._next()) is not None:
                now = self._clock()
                self._waited[key] = now - self._waiting.pop(key)
                self._on_get(self._waited[key])
                self._working[key] = now
                self._drained.clear()
                return key
            self._changed.clear()
            timeout = max(0.0, self._later[0][0] - self._clock()) if self._later else None
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):  # wait_for of Python 3.11 may lose a cancellation
                    await self._changed.wait()
        return None

    def _next(self) -> K | None:
        """Take the first ready key whose group uses less than its share of the workers."""
        while self._ready:
            key = self._ready.popleft()
            if self._rate_limit is not None and (wait := self._rate_limit.take(key)) > 0:
                del self._waiting[key]
                self._paced.add(key)
                self.add_after(key, wait)
                continue
            if self._group_of is None:
                return key
            group = self._group_of(key)
            if self._busy[group] < self._share:
                self._busy[group] += 1
                return key
            self._parked.setdefault(group, deque()).append(key)
        return None

    def _leave_group(self, key: K) -> None:
        """Release the worker of the key's group to the first parked key of the group."""
        assert self._group_of is not None
        group = self._group_of(key)
        self._busy[group] -= 1
        if not self._busy[group]:
            del self._busy[group]
        if parked := self._parked.get(group):
            self._ready.appendleft(parked.popleft())
            self._changed.set()
            if not parked:
                del self._parked[group]

    def seconds_waited(self, key: K) -> float:
        """Return the seconds that a key which is being processed waited for a worker."""
        return self._waited[key]

    def clear_dirty(self, key: K) -> None:
        """Drop additions since the worker took the key: the worker reads the stores now."""
        self._again.discard(key)

    def done(self, key: K) -> None:
        """Mark the key as processed."""
        self._waited.pop(key, None)
        if self._working.pop(key, None) is not None and self._group_of is not None:
            self._leave_group(key)
        if not self._working:
            self._drained.set()
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def shut_down(self) -> None:
        """Stop handing out keys; workers get None."""
        self._shut_down = True
        self._changed.set()

    async def drained(self) -> None:
        """Wait until no key is being processed."""
        await self._drained.wait()

    def _promote(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                self._paced.discard(key)
                self.add(key)
