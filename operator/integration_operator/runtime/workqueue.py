"""A work queue of keys: each key at most once in the queue, and never at two workers at the same time.

A key that is added while it is being worked on is worked on once more afterwards; a key that failed comes back after a
delay that doubles, with jitter, until it succeeds (client-go's workqueue is the model). Keys carry no content: a worker
looks at the stores, so ten changes in a row are one piece of work.

Keys may belong to groups, such as the namespace whose server they need: then no group has more than its share of the
workers, and one server that hangs leaves the others' keys theirs. A key that is added all the time is rate limited.
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
"""Looks at one key: a user who enables and disables a pair by hand causes about four each time. A tenant that changes
its objects all the time gets the last state looked at within half a second, and a dozen writes a second."""


class WorkQueue(Generic[K]):
    """Keys ready to be worked on, keys to come, and keys being worked on."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] | None = None,
        jitter: Callable[[], float] = random.random,
        group_of: Callable[[K], Hashable] | None = None,
        share: int = 1,
        rate_limit: TokenBuckets[K] | None = None,
    ) -> None:
        self._group_of = group_of
        self._share = share
        self._busy: Counter[Hashable] = Counter()
        self._parked: dict[Hashable, deque[K]] = {}
        """Keys whose turn had come, by group, of groups that had their share of the workers then."""
        self._clock = clock or asyncio.get_running_loop().time
        self._jitter = jitter
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._working: dict[K, float] = {}
        self._again: set[K] = set()
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._rate_limit = rate_limit
        self._paced: set[K] = set()
        """Keys that were added too often, and come when their rate limit allows it."""
        self._sequence = 0
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self._shut_down = False

    def __len__(self) -> int:
        return len(self._ready) + len(self._again) + sum(map(len, self._parked.values()))

    @property
    def idle(self) -> bool:
        """Whether no key is ready or being worked on; keys with a delay do not count."""
        return not self._ready and not self._working

    @property
    def oldest(self) -> float:
        """For how many seconds the key that is worked on longest has been."""
        return self._clock() - min(self._working.values()) if self._working else 0.0

    def add(self, key: K) -> None:
        """Work on the key as soon as a worker is free."""
        if self._shut_down or key in self._paced:
            return
        self._due.pop(key, None)
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._changed.set()

    def add_after(self, key: K, seconds: float) -> None:
        """Work on the key in ``seconds``, or earlier if it is added in the meantime."""
        due = self._clock() + seconds
        if self._shut_down or self._due.get(key, due + 1) <= due:
            return
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._later, (due, self._sequence, key))
        self._changed.set()

    def add_rate_limited(self, key: K, *, at_least: float = 0.0, longest: float = MAX_DELAY) -> float:
        """Work on a key that failed after its back-off, which ``longest`` bounds; return the delay in seconds."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = max(backoff(failures, self._jitter(), longest), at_least)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Forget that the key failed before."""
        self._failures.pop(key, None)

    async def get(self) -> K | None:
        """Return the next key, None once the queue is closed. The worker calls ``done`` when it has finished."""
        while not self._shut_down:
            self._promote()
            if (key := self._next()) is not None:
                self._waiting.discard(key)
                self._working[key] = self._clock()
                self._drained.clear()
                return key
            self._changed.clear()
            timeout = max(0.0, self._later[0][0] - self._clock()) if self._later else None
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):  # wait_for of Python 3.11 may lose a cancellation
                    await self._changed.wait()
        return None

    def _next(self) -> K | None:
        """Take the first key that is ready and whose group has not its share of the workers yet."""
        while self._ready:
            key = self._ready.popleft()
            if self._rate_limit is not None and (wait := self._rate_limit.take(key)) > 0:
                self._waiting.discard(key)
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
        """Give up the key's place in its group to the key that waits longest for one."""
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

    def clear_dirty(self, key: K) -> None:
        """The worker of the key looks at the stores now: what was added for it until here needs no further look."""
        self._again.discard(key)

    def done(self, key: K) -> None:
        """Note that the worker has finished with the key."""
        if self._working.pop(key, None) is not None and self._group_of is not None:
            self._leave_group(key)
        if not self._working:
            self._drained.set()
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def shut_down(self) -> None:
        """Hand out no more keys; workers get None."""
        self._shut_down = True
        self._changed.set()

    async def drained(self) -> None:
        """Return once no key is being worked on."""
        await self._drained.wait()

    def _promote(self) -> None:
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            if self._due.get(key) == due:
                self._paced.discard(key)
                self.add(key)
