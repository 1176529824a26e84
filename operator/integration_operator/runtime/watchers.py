"""Several watches at once, in tasks that exist from the start of the process.

kopf waits 5 s at its end for each task that was created after kopf was started, and cancels it then (``run_tasks``,
kopf/_core/reactor/running.py @1.45.2). So a watch that begins later must not need a task of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

Watch = Callable[[], Awaitable[None]]
"""Watches until the first error."""


class Watchers:
    """Runs watches beside each other, on request."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        self._watchers = [_Watcher(watch) for watch in watches]

    async def run(self) -> None:
        """Serve ``until_first_error``, with a task for each watch, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for watcher in self._watchers:
                group.create_task(watcher.run())

    async def until_first_error(self) -> None:
        """Begin all watches; when one fails, end the others and raise its error."""
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            for watcher in self._watchers:
                watcher.begin(failed)
            await failed
        finally:
            for watcher in self._watchers:
                await watcher.end()


class _Watcher:
    """A task that watches on request."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._failed: asyncio.Future[None] | None = None
        self._requested, self._idle = asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._limit = asyncio.timeout(None)
        """Ends the watch."""

    def begin(self, failed: asyncio.Future[None]) -> None:
        """Begin to watch; set the exception of ``failed`` if it is the first to fail."""
        self._failed = failed
        self._requested.set()

    async def end(self) -> None:
        """End the watch, and return when it has ended."""
        self._requested.clear()
        if not self._idle.is_set() and not self._limit.expired():
            self._limit.reschedule(asyncio.get_running_loop().time())
        await self._idle.wait()

    async def run(self) -> None:
        """Watch on each request, until cancelled."""
        while True:
            await self._requested.wait()
            if not self._requested.is_set():
                continue  # it was ended before it began
            self._requested.clear()
            self._idle.clear()
            try:
                await self._watch_once()
            finally:
                self._idle.set()

    async def _watch_once(self) -> None:
        failed, self._limit = self._failed, asyncio.timeout(None)
        assert failed is not None
        try:
            async with self._limit:
                await self._watch()
        except Exception as error:
            if not (self._limit.expired() or failed.done()):
                failed.set_exception(error)
