"""A host that is down is not asked for a while; one that answers anything is."""

from __future__ import annotations

import asyncio

import pytest

from integration_operator.delivery.keycloak.errors import AdminRefused, KeycloakUnavailable
from integration_operator.delivery.peer import Peer


async def fails() -> None:
    raise KeycloakUnavailable("down")


async def refuses() -> None:
    raise AdminRefused("no")


async def answers() -> str:
    return "answer"


async def fail(peer: Peer, times: int) -> None:
    for _ in range(times):
        with pytest.raises(KeycloakUnavailable, match="down"):
            await peer.call(fails)


async def test_after_five_failures_in_a_row() -> None:
    peer = Peer("host", KeycloakUnavailable)
    await fail(peer, 5)
    with pytest.raises(KeycloakUnavailable, match="not asked") as caught:
        await peer.call(answers)
    assert caught.value.retry_after is not None
    assert 29 <= caught.value.retry_after <= 30


async def test_an_answer_or_a_refusal_in_between_begins_the_count_anew() -> None:
    peer = Peer("host", KeycloakUnavailable)
    await fail(peer, 4)
    assert await peer.call(answers) == "answer"
    await fail(peer, 4)
    with pytest.raises(AdminRefused):
        await peer.call(refuses)
    await fail(peer, 4)
    assert await peer.call(answers) == "answer"


async def test_a_cancelled_request_says_nothing_about_the_host() -> None:
    peer = Peer("host", KeycloakUnavailable)
    await fail(peer, 4)
    task = asyncio.create_task(peer.call(lambda: asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await fail(peer, 1)
    with pytest.raises(KeycloakUnavailable, match="not asked"):
        await peer.call(answers)


async def test_so_many_at_once_and_no_more() -> None:
    peer = Peer("host", KeycloakUnavailable, in_flight=2)
    running = most = 0

    async def request() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await asyncio.gather(*(peer.call(request) for _ in range(10)))
    assert most == 2
