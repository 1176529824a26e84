"""Watches that run beside each other begin together and end together, in tasks that exist from the start."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from integration_operator.runtime.watchers import Watchers


class Source:
    """A watch that can be made to fail; it counts how often it began and ended."""

    def __init__(self) -> None:
        self.began = self.ended = 0
        self.error: asyncio.Future[None]

    async def watch(self) -> None:
        self.began += 1
        self.error = asyncio.get_running_loop().create_future()
        try:
            await self.error
        finally:
            self.ended += 1


@asynccontextmanager
async def served(*sources: Source) -> AsyncIterator[Watchers]:
    watchers = Watchers([source.watch for source in sources])
    task = asyncio.create_task(watchers.run())
    await asyncio.sleep(0.01)
    try:
        yield watchers
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not check():
            await asyncio.sleep(0)


async def test_the_error_of_one_ends_all_and_they_begin_again() -> None:
    one, other = Source(), Source()
    async with served(one, other) as watchers:
        for times in (1, 2, 3):
            running = asyncio.create_task(watchers.until_first_error())
            await until(lambda times=times: one.began == other.began == times)  # type: ignore[misc]
            one.error.set_exception(OSError(f"error {times}"))
            with pytest.raises(OSError, match=f"error {times}"):
                await running
            assert one.ended == other.ended == times, "nothing is watched any more"


async def test_a_timeout_of_the_watch_is_its_error() -> None:
    source = Source()
    async with served(source) as watchers:
        running = asyncio.create_task(watchers.until_first_error())
        await until(lambda: source.began == 1)
        source.error.set_exception(TimeoutError("no byte"))
        with pytest.raises(TimeoutError, match="no byte"):
            await running


async def test_a_round_that_is_cut_off_leaves_nothing_running() -> None:
    one, other = Source(), Source()
    async with served(one, other) as watchers:
        for times in (1, 2):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await watchers.until_first_error()
            assert (one.began, one.ended, other.began, other.ended) == (times,) * 4


async def test_a_round_that_is_cut_off_before_it_began() -> None:
    source = Source()
    async with served(source) as watchers:
        running = asyncio.create_task(watchers.until_first_error())
        await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert source.began == source.ended
        running = asyncio.create_task(watchers.until_first_error())
        await until(lambda: source.began > source.ended)
        source.error.set_exception(OSError("later"))
        with pytest.raises(OSError, match="later"):
            await running


async def test_no_task_is_created_for_a_round() -> None:
    source = Source()
    async with served(source) as watchers:
        before = asyncio.all_tasks()
        with suppress(TimeoutError):
            async with asyncio.timeout(0.02):
                await watchers.until_first_error()
        assert asyncio.all_tasks() == before
        assert source.ended == 1
