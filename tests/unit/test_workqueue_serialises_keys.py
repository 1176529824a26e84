"""One key, one worker at a time; what fails comes back later and later."""

from __future__ import annotations

import asyncio

import pytest

from integration_operator.runtime.backoff import FIRST_DELAY, MAX_DELAY
from integration_operator.runtime.token_bucket import TokenBuckets
from integration_operator.runtime.workqueue import WorkQueue
from tests.support.clocks import Clock
from tests.support.virtual_time import run


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
    assert [await queue.get(), await queue.get()] == ["a", "b"]


async def test_a_key_that_is_worked_on_comes_again_afterwards_and_only_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.add("a")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.05)
    queue.done("a")
    assert await queue.get() == "a"
    queue.done("a")
    assert queue.idle


async def test_a_look_covers_what_was_added_before_it(queue: WorkQueue[str]) -> None:
    queue.add("a")
    await queue.get()
    queue.add("a")
    queue.clear_dirty("a")
    queue.done("a")
    assert queue.idle


async def test_a_delay_is_kept_and_an_add_shortens_it(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add_after("a", 10)
    queue.add_after("a", 99)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.02)
    clock.now = 10
    assert await queue.get() == "a"
    queue.done("a")
    queue.add_after("a", 10)
    queue.add("a")
    assert await queue.get() == "a"
    queue.done("a")
    clock.now = 30
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.02)


async def test_failures_double_the_delay_and_success_forgets_them(queue: WorkQueue[str]) -> None:
    delays = [queue.add_rate_limited("a") for _ in range(20)]
    assert delays[:4] == [FIRST_DELAY, 2 * FIRST_DELAY, 4 * FIRST_DELAY, 8 * FIRST_DELAY]
    assert delays[-1] == MAX_DELAY
    queue.forget("a")
    assert queue.add_rate_limited("a") == FIRST_DELAY
    assert queue.add_rate_limited("b", at_least=7) == 7


async def test_jitter_halves_at_most(clock: Clock) -> None:
    queue: WorkQueue[str] = WorkQueue(clock=clock, jitter=lambda: 0.0)
    assert queue.add_rate_limited("a") == FIRST_DELAY / 2


async def test_closed_hands_out_nothing_and_waits_for_what_is_in_flight(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.add("b")
    await queue.get()
    queue.shut_down()
    assert await queue.get() is None
    finishing = asyncio.create_task(queue.drained())
    await asyncio.sleep(0)
    assert not finishing.done()
    queue.done("a")
    await asyncio.wait_for(finishing, 1)


async def test_the_oldest_shows_a_worker_that_hangs(queue: WorkQueue[str], clock: Clock) -> None:
    assert queue.oldest == 0.0
    queue.add("a")
    await queue.get()
    clock.now = 700
    assert queue.oldest == 700


async def test_many_workers_never_share_a_key() -> None:
    queue: WorkQueue[int] = WorkQueue()
    working: set[int] = set()
    seen: list[int] = []

    async def worker() -> None:
        while (key := await queue.get()) is not None:
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
    queue.shut_down()
    await asyncio.gather(*workers)
    assert set(seen) == set(range(10))


async def test_the_longest_delay_of_one_failure_may_be_shorter(queue: WorkQueue[str]) -> None:
    delays = [queue.add_rate_limited("a", max_delay=120.0) for _ in range(40)]
    assert delays[:3] == [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4]
    assert delays[-1] == 120.0
    assert queue.add_rate_limited("a") == MAX_DELAY


@pytest.fixture
async def shared(clock: Clock) -> WorkQueue[str]:
    """Return a queue whose keys belong to the group of their first letter, two workers for each."""
    return WorkQueue(clock=clock, jitter=lambda: 1.0, group_of=lambda key: key[0], share=2)


async def taken(queue: WorkQueue[str]) -> list[str]:
    """Take all that can be taken now."""
    keys = []
    while True:
        task = asyncio.create_task(queue.get())
        for _ in range(3):
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            return keys
        keys.append(str(task.result()))


async def test_a_group_has_no_more_than_its_share_and_the_others_go_on(shared: WorkQueue[str]) -> None:
    for key in ("a1", "a2", "a3", "a4", "b1"):
        shared.add(key)
    assert await taken(shared) == ["a1", "a2", "b1"]
    assert len(shared) == 2
    shared.done("b1")
    assert await taken(shared) == []
    assert not shared.idle


async def test_a_parked_key_comes_back_when_one_of_its_group_is_done(shared: WorkQueue[str]) -> None:
    for key in ("a1", "a2", "a3", "a4"):
        shared.add(key)
    assert await taken(shared) == ["a1", "a2"]
    waiting = asyncio.create_task(shared.get())
    await asyncio.sleep(0)
    shared.done("a2")
    assert await asyncio.wait_for(waiting, 1) == "a3"
    shared.done("a1")
    shared.done("a3")
    assert await taken(shared) == ["a4"]
    shared.done("a4")
    assert shared.idle
    assert len(shared) == 0


async def test_a_parked_key_is_queued_once(shared: WorkQueue[str]) -> None:
    for key in ("a1", "a2", "a3"):
        shared.add(key)
    assert await taken(shared) == ["a1", "a2"]
    shared.add("a3")
    shared.add_after("a3", 5)
    shared.add("a1")
    assert len(shared) == 2
    shared.done("a1")
    assert await taken(shared) == ["a3"]
    shared.done("a3")
    assert await taken(shared) == ["a1"]


async def test_a_share_is_given_back_by_a_key_that_failed(shared: WorkQueue[str], clock: Clock) -> None:
    for key in ("a1", "a2", "a3"):
        shared.add(key)
    assert await taken(shared) == ["a1", "a2"]
    shared.add_rate_limited("a1")
    shared.done("a1")
    assert await taken(shared) == ["a3"]
    clock.now = 10
    shared.done("a2")
    assert await taken(shared) == ["a1"]


async def test_one_group_that_hangs_leaves_workers_to_the_others() -> None:
    queue: WorkQueue[str] = WorkQueue(group_of=lambda key: key[0], share=2)
    served: list[str] = []
    hang = asyncio.Event()

    async def worker() -> None:
        while (key := await queue.get()) is not None:
            if key.startswith("h"):
                await hang.wait()
            served.append(key)
            queue.done(key)

    workers = [asyncio.create_task(worker()) for _ in range(8)]
    for number in range(50):
        queue.add(f"h{number}")
    for number in range(50):
        queue.add(f"w{number}")
    async with asyncio.timeout(2):
        while len(served) < 50:
            await asyncio.sleep(0.001)
    assert {key[0] for key in served} == {"w"}
    hang.set()
    async with asyncio.timeout(2):
        while not queue.idle:
            await asyncio.sleep(0.001)
    assert len(served) == 100
    queue.shut_down()
    await asyncio.gather(*workers)


async def test_a_key_that_is_added_all_the_time_keeps_to_a_pace(clock: Clock) -> None:
    """Others are not delayed, and the last addition is never lost."""
    queue: WorkQueue[str] = WorkQueue(clock=clock, rate_limit=TokenBuckets(3, 2.0, clock))
    for _ in range(3):
        queue.add("often")
        assert await queue.get() == "often"
        queue.done("often")
    for _ in range(100):
        queue.add("often")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(queue.get(), 0.05)
    queue.add("seldom")
    assert await queue.get() == "seldom"
    queue.done("seldom")
    clock.now += 0.5
    assert await queue.get() == "often"
    queue.done("often")
    assert queue.idle


async def test_a_paused_queue_takes_nothing(queue: WorkQueue[str], clock: Clock) -> None:
    """A process that stands by for months must not collect keys."""
    queue.paused = True
    queue.add("a")
    queue.add_after("b", 1)
    clock.now = 2
    queue.paused = False
    queue.add("c")
    assert await queue.get() == "c"
    assert len(queue) == 0


def test_a_waiting_worker_gets_a_key_when_it_is_added_and_when_it_is_due() -> None:
    async def scenario() -> None:
        queue: WorkQueue[str] = WorkQueue()
        taken: list[tuple[str, float]] = []

        async def worker() -> None:
            while (key := await queue.get()) is not None:
                taken.append((key, asyncio.get_running_loop().time()))
                queue.done(key)

        working = asyncio.create_task(worker())
        await asyncio.sleep(1)
        queue.add("at once")
        await asyncio.sleep(1)
        queue.add_after("later", 30)
        queue.add_after("soon", 10)
        await asyncio.sleep(100)
        assert taken == [("at once", 1.0), ("soon", 12.0), ("later", 32.0)]
        queue.shut_down()
        await asyncio.wait_for(working, 1)

    run(scenario())
