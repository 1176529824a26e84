"""Whatever a Syndesis server answers becomes a failure with a policy, costs no other server, and tells no secret."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import structlog
from aiohttp import web

from integration_operator.backends.circuit_breaker import FAILURES, IN_FLIGHT, OPEN_FOR, CircuitBreaker
from integration_operator.backends.limits import Limits
from integration_operator.backends.syndesis.client import PAGES, SyndesisClient
from integration_operator.backends.syndesis.errors import AccessRefused, Refused, SyndesisNotFound, SyndesisUnavailable
from integration_operator.runtime.errors import Deferred, Failure
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.clocks import Clock
from tests.support.deliveries import PASSWORD, Deliverer, Wish, delivering, writes
from tests.support.local_server import listening

WISH = Wish()
OTHER = Wish(space="payments")
LOG_IN = b"<html><body>Log in with OpenShift</body></html>"


@dataclass(frozen=True)
class Answer:
    """An answer to one kind of request, and the failure that it is to become."""

    status: int
    body: bytes
    failure: type[Failure]
    method: str = "GET"
    path: str = "/connections"
    content_type: str = "application/json"


ANSWERS = {
    "a log-in page": Answer(200, LOG_IN, SyndesisUnavailable, content_type="text/html"),
    "a log-in page elsewhere": Answer(302, b"", SyndesisUnavailable),
    "half a document": Answer(200, b'{"items":[{"id":"', SyndesisUnavailable),
    "nothing": Answer(200, b"", SyndesisUnavailable),
    "no text": Answer(200, b"\xff\xfe\x00", SyndesisUnavailable),
    "a document without an end to its depth": Answer(200, b"[" * 200_000, SyndesisUnavailable),
    "a list for an object": Answer(200, b"[]", SyndesisUnavailable),
    "a text for a list": Answer(200, b'{"items":"none"}', SyndesisUnavailable),
    "texts for connections": Answer(200, b'{"items":["one"]}', SyndesisUnavailable),
    "connections without ids": Answer(200, b'{"items":[{"name":"one"}]}', SyndesisUnavailable),
    "a list for properties": Answer(200, b'{"items":[{"id":"a","configuredProperties":["b"]}]}', SyndesisUnavailable),
    "a text for metadata": Answer(200, b'{"items":[{"id":"a","metadata":"b"}]}', SyndesisUnavailable),
    "a number for tags": Answer(200, b'{"items":[{"id":"a","tags":7}]}', SyndesisUnavailable),
    "objects for tags": Answer(200, b'{"items":[{"id":"a","tags":[{}]}]}', SyndesisUnavailable),
    "no user": Answer(401, b"", AccessRefused),
    "no access": Answer(403, b'{"error":"Forbidden"}', AccessRefused),
    "no such path": Answer(404, b"", SyndesisNotFound),
    "too many": Answer(429, b"", SyndesisUnavailable),
    "a defect": Answer(500, b'{"errorCode":500}', SyndesisUnavailable),
    "a proxy without a server": Answer(503, LOG_IN, SyndesisUnavailable, content_type="text/html"),
    "a connector that is a text": Answer(200, b'"amqp"', SyndesisUnavailable, path="/connectors"),
    "a created connection that is a page": Answer(200, LOG_IN, SyndesisUnavailable, "POST"),
    "a created connection that is a list": Answer(200, b"[]", SyndesisUnavailable, "POST"),
    "a created connection without an id": Answer(200, b"{}", SyndesisUnavailable, "POST"),
    "a create refused": Answer(400, b'[{"error":"NotNull","property":"create.obj.icon"}]', Refused, "POST"),
    "a create refused in HTML": Answer(400, LOG_IN, Refused, "POST"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_becomes_a_failure_and_is_overcome(
    deliverer: Deliverer, syndesis_server: SyndesisServer, answer: Answer
) -> None:
    syndesis_server.fail(
        times=1,
        status=answer.status,
        body=answer.body,
        content_type=answer.content_type,
        method=answer.method,
        path_prefix=f"/api/v1{answer.path}",
    )
    with pytest.raises(answer.failure) as caught:
        await deliverer.deliver(WISH)
    failure = caught.value
    assert failure.stalls is issubclass(answer.failure, Refused), "only what is refused is not asked again"
    assert failure.retry_after == (60.0 if answer.failure is AccessRefused else None)
    assert syndesis_server.stored() == {}
    await deliverer.deliver(WISH)
    assert list(syndesis_server.stored()) == [WISH.id]


async def test_a_refusal_names_fields_and_repeats_nothing_else(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    body = f'[{{"error":"NotNull","property":"create.obj.icon","message":"{PASSWORD}"}}, {{"error":"p = {PASSWORD}"}}]'
    syndesis_server.fail(times=1, status=400, body=body, method="POST")
    with pytest.raises(Refused, match=r"NotNull of create\.obj\.icon") as caught:
        await deliverer.deliver(WISH)
    assert PASSWORD not in str(caught.value)


async def test_a_closed_connection_is_a_failure(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    syndesis_server.fail(times=2, status=0, method="GET")
    with pytest.raises(SyndesisUnavailable) as caught:
        await deliverer.deliver(WISH)
    assert caught.value.reason == "SyndesisUnavailable"
    await deliverer.deliver(WISH)


async def test_nobody_at_the_address_is_a_failure(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    syndesis_server.url = "http://127.0.0.1:1"
    with pytest.raises(SyndesisUnavailable, match=r"127\.0\.0\.1:1: connection refused"):
        await deliverer.deliver(WISH)


@asynccontextmanager
async def answering(answer: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    """Run a server that is not Syndesis's; yield its URL."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    async with listening(runner) as url:
        yield url


async def test_a_slow_server_is_not_waited_for() -> None:
    """Not even where it keeps saying something that never comes to an end."""

    async def never(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b" ")
            await asyncio.sleep(0.02)

    limits = Limits(seconds=0.2)
    async with answering(never) as url, aiohttp.ClientSession() as session:
        client = SyndesisClient(url, session, limits=limits)
        async with asyncio.timeout(5):
            with pytest.raises(SyndesisUnavailable, match=r"no answer in 0\.2 s"):
                await client.connections(lambda connection: False, "amqp")


async def test_a_list_without_an_end_is_not_read_for_ever() -> None:
    items = [{"id": f"c-{n}", "name": f"c-{n}"} for n in range(PAGES[0])]

    async def same_page(request: web.Request) -> web.Response:
        return web.json_response({"items": items})

    async with answering(same_page) as url, aiohttp.ClientSession() as session, asyncio.timeout(5):
        with pytest.raises(SyndesisUnavailable, match="no end"):
            await SyndesisClient(url, session).connections(lambda connection: False, "amqp")


async def test_a_failing_server_is_left_alone_and_asked_again_later(
    deliverer: Deliverer, syndesis_server: SyndesisServer, breaker_clock: Clock
) -> None:
    syndesis_server.fail(times=FAILURES, status=503)
    for _ in range(FAILURES):
        with pytest.raises(SyndesisUnavailable):
            await deliverer.deliver(WISH)
    asked = len(syndesis_server.requests)
    assert asked == FAILURES
    for wish in (WISH, OTHER):
        with pytest.raises(Deferred, match=r"HTTP 503; retried every 3 s\. Is Syndesis running in namespace") as e:
            await deliverer.deliver(wish)
        assert e.value.retry_after is not None
        assert OPEN_FOR <= e.value.retry_after <= 3 * OPEN_FOR
    with pytest.raises(Deferred):
        await deliverer.withdraw(WISH)
    assert len(syndesis_server.requests) == asked, "it is not asked at all"
    breaker_clock.now += OPEN_FOR
    await deliverer.deliver(WISH)
    await deliverer.deliver(OTHER)
    assert set(syndesis_server.stored()) == {WISH.id, OTHER.id}


async def test_a_server_that_fails_again_is_left_alone_at_once(
    deliverer: Deliverer, syndesis_server: SyndesisServer, breaker_clock: Clock
) -> None:
    syndesis_server.fail(times=100, status=503)
    for _ in range(50):
        with suppress(SyndesisUnavailable, Deferred):
            await deliverer.deliver(WISH)
    breaker_clock.now += OPEN_FOR
    for _ in range(50):
        with suppress(SyndesisUnavailable, Deferred):
            await deliverer.deliver(WISH)
    assert len(syndesis_server.requests) == FAILURES + 1


async def test_refusals_do_not_make_a_server_left_alone(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    """The server is well: it is one pair's request that it does not take."""
    syndesis_server.fail(times=FAILURES + 1, status=400, method="POST")
    for _ in range(FAILURES + 1):
        with pytest.raises(Refused):
            await deliverer.deliver(WISH)
    await deliverer.deliver(OTHER)


async def test_one_server_away_costs_another_nothing(breaker_clock: Clock) -> None:
    async with SyndesisServer.running() as away, SyndesisServer.running() as well:
        away.fail(times=1000, status=503)
        async with delivering(shop=away, office=well) as deliverer:
            for _ in range(FAILURES + 1):
                with pytest.raises((SyndesisUnavailable, Deferred)):
                    await deliverer.deliver(WISH)
            there = WISH.but(namespace="office")
            await deliverer.deliver(there)
            assert list(well.stored()) == [there.id]


async def test_many_hanging_servers_do_not_use_up_what_another_needs() -> None:
    """Requests that hang are limited for each server by itself, and for all of them together not at all."""
    hung = asyncio.Event()

    async def hang(request: web.Request) -> web.Response:
        await hung.wait()
        return web.json_response({})

    async with answering(hang) as url, SyndesisServer.running() as well, delivering(well) as deliverer:
        servers = deliverer.servers
        servers._url_of = lambda namespace: well.url if namespace == WISH.namespace else url
        tasks = [
            asyncio.create_task(servers.of(f"hanging-{n}").secret_properties(f"connector-{m}"))
            for n in range(100 // IN_FLIGHT + 4)
            for m in range(IN_FLIGHT)
        ]
        await asyncio.sleep(0.3)
        async with asyncio.timeout(3):
            await deliverer.deliver(WISH)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        hung.set()


async def test_a_server_is_asked_only_so_much_at_once(breaker_clock: Clock) -> None:
    peer, at_once, most = CircuitBreaker("it", SyndesisUnavailable, in_flight=3), 0, 0

    async def request() -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1

    await asyncio.gather(*(peer.call(request) for _ in range(20)))
    assert most == 3


async def test_those_that_wait_in_line_meet_the_failures_before_them(breaker_clock: Clock) -> None:
    """Twenty requests that wait for one slot each cost no time-out of their own once the server is left alone."""
    peer, asked = CircuitBreaker("it", SyndesisUnavailable, in_flight=1), 0

    async def request() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        raise SyndesisUnavailable("it is away")

    await asyncio.gather(*(peer.call(request) for _ in range(20)), return_exceptions=True)
    assert asked == FAILURES


async def test_a_failed_delivery_writes_nowhere_else(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(OTHER)
    syndesis_server.put_stored({"id": "theirs", "name": "theirs", "connectorId": "amqp"})
    before, asked = syndesis_server.stored(), len(syndesis_server.requests)
    syndesis_server.fail(times=4, status=500, method="POST")
    for _ in range(4):
        with pytest.raises(SyndesisUnavailable):
            await deliverer.deliver(WISH)
    assert syndesis_server.stored() == before
    assert set(writes(syndesis_server, asked)) == {"POST /connections"}


SPOILT = {
    "a page": (200, LOG_IN),
    "a refusal that repeats what was sent": (400, f'[{{"error":"{PASSWORD}","property":"{PASSWORD}"}}]'.encode()),
    "an error that repeats what was sent": (500, f'{{"developerMsg":"{PASSWORD}"}}'.encode()),
    "half a document that repeats what was sent": (200, f'{{"configuredProperties":{{"password":"{PASSWORD}'.encode()),
    "a violation that is none": (400, f'["{PASSWORD}"]'.encode()),
    "no answer": (0, b""),
}


@pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_no_secret_is_told(
    deliverer: Deliverer,
    syndesis_server: SyndesisServer,
    caplog: pytest.LogCaptureFixture,
    method: str,
    spoilt: tuple[int, bytes],
) -> None:
    """In no message, no trace of an error, no log line, and no text that an object shows of itself."""
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    with structlog.testing.capture_logs() as lines:
        made = await deliverer.deliver(WISH)
        ciphertext = syndesis_server.stored()[WISH.id]["configuredProperties"]["password"]
        syndesis_server.fail(times=3, status=spoilt[0], body=spoilt[1], method=method)
        for step in (
            deliverer.deliver(WISH.but(password=f"{PASSWORD}-2"), verify=True),
            deliverer.deliver(WISH.but(password=f"{PASSWORD}-3", description="Another"), verify=True),
            deliverer.withdraw(WISH),
        ):
            try:
                told.append(repr(await step))
            except Failure as error:
                told += [repr(error), error.message, *traceback.format_exception(error)]
                told += [repr(error.__cause__), repr(error.__context__)]
    told += [repr(lines), caplog.text, repr(made), repr(WISH.deliver(made)), repr(deliverer.known)]
    assert PASSWORD not in "".join(told)
    assert ciphertext not in "".join(told)
