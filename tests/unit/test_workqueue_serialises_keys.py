"""One key, one worker at a time; what fails comes back later and later."""

from __future__ import annotations

import asyncio

import pytest

from integration_operator.engine.workqueue import FIRST_DELAY, LONGEST_DELAY, WorkQueue


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(clock=clock, jitter=lambda: 1.0)


async def test_a_key_is_queued_once(queue: WorkQueue[str]) -> None:
    for _ in range(3):
        queue.add("a")
    queue.add("b")
    assert len(queue) == 2
    assert [await queue.take(), await queue.take()] == ["a", "b"]


async def test_a_key_that_is_worked_on_comes_again_afterwards_and_only_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.take()
    queue.add("a")
    queue.add("a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.05)
    queue.done("a")
    assert await queue.take() == "a"
    queue.done("a")
    assert queue.idle


async def test_a_look_covers_what_was_added_before_it(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.take()
    queue.add("a")
    queue.covers("a")
    queue.done("a")
    assert queue.idle


async def test_a_delay_is_kept_and_an_add_shortens_it(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 10)
    queue.add_after("a", 99)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.02)
    clock.now = 10
    assert await queue.take() == "a"
    queue.done("a")
    queue.add_after("a", 10)
    queue.add("a")
    assert await queue.take() == "a"
    queue.done("a")
    clock.now = 30
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.take(), 0.02)


async def test_failures_double_the_delay_and_success_forgets_them(queue: WorkQueue[str]) -> None:
    delays = [queue.retry("a") for _ in range(20)]
    assert delays[:4] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY, 8 * FIRST_DELAY]
    assert delays[-1] == LONGEST_DELAY
    queue.succeeded("a")
    assert queue.retry("a") == FIRST_DELAY
    assert queue.retry("b", at_least=7) == 7


async def test_jitter_halves_at_most(clock: Clock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock, jitter=lambda: 0.0)
    assert queue.retry("a") == FIRST_DELAY / 2


async def test_closed_hands_out_nothing_and_waits_for_what_is_in_flight(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.add("b")
    await queue.take()
    queue.close()
    assert await queue.take() is None
    finishing = asyncio.create_task(queue.finished())
    await asyncio.sleep(0)
    assert not finishing.done()
    queue.done("a")
    await asyncio.wait_for(finishing, 1)


async def test_the_oldest_shows_a_worker_that_hangs(queue: WorkQueue[str], clock: Clock) -> None:
    assert queue.oldest == 0.0
    queue.add("a")
    await queue.take()
    clock.now = 700
    assert queue.oldest == 700


async def test_many_workers_never_share_a_key() -> None:
    queue: WorkQueue[int] = WorkQueue()
    working: set[int] = set()
    seen: list[int] = []

    async def worker() -> None:
        while (key := await queue.take()) is not None:
            assert key not in working
            working.add(key)
            await asyncio.sleep(0.001)
            working.discard(key)
            seen.append(key)
            queue.done(key)

    workers = [asyncio.create_task(worker()) for _ in range(8)]
    for round_ in range(5):
        for key in range(10):
            queue.add(key)
        await asyncio.sleep(0.002 * round_)
    while not queue.idle:
        await asyncio.sleep(0.001)
    queue.close()
    await asyncio.gather(*workers)
    assert set(seen) == set(range(10))


async def test_the_longest_delay_of_one_failure_may_be_shorter(queue: WorkQueue[str]) -> None:
    delays = [queue.retry("a", longest=120.0) for _ in range(40)]
    assert delays[:3] == [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4]
    assert delays[-1] == 120.0
    assert queue.retry("a") == LONGEST_DELAY
