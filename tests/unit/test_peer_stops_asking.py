"""A host that is down is not asked for a while; one that answers anything is."""

from __future__ import annotations

import asyncio

import pytest

from integration_operator.backends.circuit_breaker import MAX_DEFERRAL, OPEN_FOR, CircuitBreaker
from integration_operator.backends.keycloak.errors import AdminRefused, KeycloakUnavailable
from integration_operator.runtime.errors import Deferred
from tests.support.clocks import Clock


async def fails() -> None:
    raise KeycloakUnavailable("down")


async def refuses() -> None:
    raise AdminRefused("no")


async def answers() -> str:
    return "answer"


async def fail(peer: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        with pytest.raises(KeycloakUnavailable, match="down"):
            await peer.call(fails)


async def test_after_five_failures_in_a_row() -> None:
    peer = CircuitBreaker("host", KeycloakUnavailable)
    await fail(peer, 5)
    with pytest.raises(Deferred) as caught:
        await peer.call(answers)
    assert caught.value.retry_after is not None
    assert OPEN_FOR <= caught.value.retry_after <= 2 * OPEN_FOR


async def test_an_answer_or_a_refusal_in_between_begins_the_count_anew() -> None:
    peer = CircuitBreaker("host", KeycloakUnavailable)
    await fail(peer, 4)
    assert await peer.call(answers) == "answer"
    await fail(peer, 4)
    with pytest.raises(AdminRefused):
        await peer.call(refuses)
    await fail(peer, 4)
    assert await peer.call(answers) == "answer"


async def test_a_cancelled_request_says_nothing_about_the_host() -> None:
    peer = CircuitBreaker("host", KeycloakUnavailable)
    await fail(peer, 4)
    task = asyncio.create_task(peer.call(lambda: asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await fail(peer, 1)
    with pytest.raises(Deferred):
        await peer.call(answers)


async def test_so_many_at_once_and_no_more() -> None:
    peer = CircuitBreaker("host", KeycloakUnavailable, in_flight=2)
    running = most = 0

    async def request() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await asyncio.gather(*(peer.call(request) for _ in range(10)))
    assert most == 2


async def test_a_refusal_says_what_is_wrong_and_says_the_same_until_that_changes(breaker_clock: Clock) -> None:
    peer = CircuitBreaker("http://host", KeycloakUnavailable, hint="Is it running?", jitter=lambda: 0.5)
    await fail(peer, 5)
    messages = set()
    for _ in range(3):
        with pytest.raises(Deferred) as caught:
            await peer.call(answers)
        messages.add(caught.value.message)
        assert (caught.value.reason, caught.value.stalls, caught.value.quiet) == ("KeycloakUnavailable", False, False)
        breaker_clock.now += 0.5
    assert messages == {"down; retried every 3 s. Is it running?"}


async def test_those_that_were_refused_come_back_one_after_the_other(breaker_clock: Clock) -> None:
    """One request tries the host every few seconds, and of hundreds no more than a few come in vain."""
    peer = CircuitBreaker("host", KeycloakUnavailable, jitter=lambda: 0.5)
    await fail(peer, 4)
    with pytest.raises(KeycloakUnavailable) as tried:
        await peer.call(fails)
    waits = [tried.value.retry_after]
    for _ in range(30):
        with pytest.raises(Deferred) as caught:
            await peer.call(answers)
        waits.append(caught.value.retry_after)
    assert waits[:4] == [pytest.approx(OPEN_FOR * turn) for turn in (1, 2, 3, 4)]
    assert max(waits) == pytest.approx(0.75 * MAX_DEFERRAL)
    assert tried.value.deferred, "its own back-off does not grow meanwhile"


async def test_recovery_is_told_once_and_only_of_a_host_that_was_left_alone(breaker_clock: Clock) -> None:
    told: list[str] = []
    peer = CircuitBreaker("host", KeycloakUnavailable, recovered=lambda: told.append("again"))
    await fail(peer, 4)
    await peer.call(answers)
    assert told == []
    await fail(peer, 5)
    breaker_clock.now += OPEN_FOR
    await fail(peer, 1)
    breaker_clock.now += OPEN_FOR
    await peer.call(answers)
    await peer.call(answers)
    assert told == ["again"]


async def test_a_refusal_of_the_request_is_recovery_too(breaker_clock: Clock) -> None:
    told: list[str] = []
    peer = CircuitBreaker("host", KeycloakUnavailable, recovered=lambda: told.append("again"))
    await fail(peer, 5)
    breaker_clock.now += OPEN_FOR
    with pytest.raises(AdminRefused):
        await peer.call(refuses)
    assert told == ["again"]


async def test_one_request_tries_the_host_and_the_others_do_not_wait_for_it(breaker_clock: Clock) -> None:
    peer = CircuitBreaker("host", KeycloakUnavailable)
    await fail(peer, 5)
    breaker_clock.now += OPEN_FOR
    hangs = asyncio.create_task(peer.call(lambda: asyncio.sleep(60)))
    await asyncio.sleep(0)
    for _ in range(3):
        with pytest.raises(Deferred):
            await peer.call(answers)
    hangs.cancel()
    with pytest.raises(asyncio.CancelledError):
        await hangs
    assert await peer.call(answers) == "answer", "a trial that was cancelled is no trial"


async def test_the_request_that_tries_the_host_in_vain_says_the_same_as_those_that_are_refused(
    breaker_clock: Clock,
) -> None:
    peer = CircuitBreaker("host", KeycloakUnavailable, hint="Is it running?")
    messages = []
    for _ in range(6):
        with pytest.raises(KeycloakUnavailable) as caught:
            await peer.call(fails)
        messages.append(caught.value.message)
        breaker_clock.now += OPEN_FOR if len(messages) >= 5 else 0
    assert messages == ["down"] * 4 + ["down; retried every 3 s. Is it running?"] * 2
    assert caught.value.retry_after == OPEN_FOR
