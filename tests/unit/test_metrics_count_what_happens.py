"""Each counter moves for the event that it is for, and a histogram knows how long it took."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import aiohttp
import httpx
import pytest
from aiohttp import web

from integration_operator.admission.server import Server
from integration_operator.backends.circuit_breaker import MAX_DEFERRAL, CircuitBreaker
from integration_operator.backends.keycloak import transport
from integration_operator.backends.keycloak.errors import KeycloakUnavailable
from integration_operator.backends.limits import Limits
from integration_operator.backends.syndesis.client import SyndesisClient
from integration_operator.metrics import CONTROLLER, KUBERNETES_REQUEST
from integration_operator.runtime.errors import Failure, Gone, Unavailable
from integration_operator.runtime.metrics import RESULTS
from integration_operator.runtime.workqueue import WorkQueue
from tests.support import builders
from tests.support.clocks import Clock
from tests.support.local_server import listening
from tests.support.operated import SOON, both, enabled, operated
from tests.support.scraped import counted, sample
from tests.support.virtual_time import run

PREFIX = "integration_operator_"


class Growth:
    """By how much a counter of this process grows from now on."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = f"{PREFIX}{name}", labels
        self._before = counted(self._name, **labels)

    def __call__(self) -> float:
        return counted(self._name, **self._labels) - self._before


def test_a_request_to_the_api_server_is_counted_with_its_duration() -> None:
    labels = {"system": "kubernetes", "verb": "GET", "resource": "secrets"}
    missing, unanswered = (Growth("requests_total", **labels, code=code) for code in ("404", "none"))
    seconds = Growth("request_seconds_sum", system="kubernetes", verb="GET")
    KUBERNETES_REQUEST("GET", "https://api", "/api/v1/namespaces/shop/secrets/login", 404, 0.3)
    KUBERNETES_REQUEST("GET", "https://api", "/api/v1/secrets", 0, 2.0)
    assert (missing(), unanswered()) == (1.0, 1.0)
    assert seconds() == pytest.approx(2.3)


def test_a_reconcile_is_counted_with_its_duration() -> None:
    ok, seconds = Growth("reconciles_total", result="ok"), Growth("reconcile_seconds_sum")
    long, all_ = Growth("reconcile_seconds_bucket", le="0.25"), Growth("reconcile_seconds_bucket", le="0.5")
    CONTROLLER.observe_reconcile("ok", 0.2)
    CONTROLLER.observe_reconcile("ok", 0.4)
    assert (ok(), seconds(), long(), all_()) == (2.0, pytest.approx(0.6), 1.0, 2.0)


def test_reconciles_of_a_pair_are_counted_by_their_result() -> None:
    async def scenario() -> None:
        ok, retry, error, defect = (Growth("reconciles_total", result=result) for result in RESULTS)
        async with operated(*both()) as scene:
            assert ok() > 0
            assert (retry(), error(), defect()) == (0.0, 0.0, 0.0)
            assert sample(scene.state, f"{PREFIX}queue_retries_total") == 0.0

            def refuse(verb: str, path: str) -> None:
                if path.endswith("/secrets/shop.orders.syndesis-credentials"):
                    raise Unavailable(500, "InternalError", "etcd is gone")

            def fail(verb: str, path: str) -> None:
                if verb == "APPLY":
                    raise Unavailable(500, "InternalError", "etcd is gone")

            scene.api.before = refuse
            scene.specify(enabled=True)
            await asyncio.sleep(SOON)
            assert retry() > 1
            assert sample(scene.state, f"{PREFIX}queue_retries_total") == retry()
            assert sample(scene.state, f"{PREFIX}queue_retrying") == 1.0
            scene.api.before = fail
            scene.api.put(builders.space(annotations={"a": "b"}, ready=False))
            await asyncio.sleep(SOON)
            assert error() > 0, "not even the status could be written"
            scene.api.before = lambda verb, path: None
            await asyncio.sleep(300)
            assert sample(scene.state, f"{PREFIX}queue_retrying") == 0.0

            def break_(verb: str, path: str) -> None:
                if verb == "APPLY":
                    raise ZeroDivisionError

            scene.api.before = break_
            scene.specify(enabled=False)
            await asyncio.sleep(SOON)
            assert defect() > 0

    run(scenario())


async def test_a_key_that_waits_for_a_worker_is_measured() -> None:
    clock, waited = Clock(), list[float]()
    queue: WorkQueue[str] = WorkQueue(clock=clock, on_get=waited.append)
    queue.add("a")
    queue.add("b")
    assert await queue.get() == "a"
    clock.now += 5
    assert await queue.get() == "b"
    assert waited == [0.0, 5.0]
    assert queue.oldest == 5.0
    queue.add("a")
    clock.now += 2
    queue.done("a")
    clock.now += 1
    assert await queue.get() == "a"
    assert waited[2] == 1.0, "it was not ready while it was processed"


def test_watches_that_end_are_counted_by_cause() -> None:
    async def scenario() -> None:
        causes = {cause: Growth("watch_restarts_total", kind="Secret", cause=cause) for cause in ("expired", "failed")}
        async with operated(*both()) as scene:
            await enabled(scene)
            scene.api.expire("Secret", Gone(410, "Expired", "too old"))
            await asyncio.sleep(SOON)
            assert (causes["expired"](), causes["failed"]()) == (1.0, 0.0)
            scene.api.expire("Secret", Unavailable(0, "ConnectionLost", "reset"))
            await asyncio.sleep(SOON)
            assert (causes["expired"](), causes["failed"]()) == (1.0, 1.0)

    run(scenario())


async def test_a_request_to_keycloak_that_is_given_up_is_counted() -> None:
    async def hang(request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(60)
        raise AssertionError

    unanswered = Growth("requests_total", system="keycloak", verb="POST", resource="token", code="none")
    async with (
        listening(web.ServerRunner(web.Server(hang), shutdown_timeout=0.1)) as address,
        transport.client(ssl.create_default_context(), 1, Limits()) as session,
    ):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await session.post(f"{address}/auth/realms/master/protocol/openid-connect/token")
    assert unanswered() == 1.0


@pytest.fixture
async def url() -> AsyncIterator[str]:
    """Run a server that answers each request with 418; yield its address."""

    async def answer(request: web.BaseRequest) -> web.Response:
        return web.Response(status=418, text="{}")

    async with listening(web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)) as address:
        yield address


async def test_a_request_to_syndesis_is_counted(url: str) -> None:
    labels = {"system": "syndesis", "verb": "GET", "resource": "connectors"}
    refused, unanswered = (Growth("requests_total", **labels, code=code) for code in ("4xx", "none"))
    durations = Growth("request_seconds_count", system="syndesis", verb="GET")
    async with aiohttp.ClientSession() as session:
        for server in (url, "http://127.0.0.1:1"):
            with pytest.raises(Failure):
                await SyndesisClient(server, session).connector("amqp")
    assert (refused(), unanswered(), durations()) == (1.0, 1.0, 2.0)


async def test_a_request_to_keycloak_is_counted(url: str) -> None:
    labels = {"system": "keycloak", "verb": "GET", "resource": "users"}
    refused, unanswered = (Growth("requests_total", **labels, code=code) for code in ("4xx", "none"))
    durations = Growth("request_seconds_count", system="keycloak", verb="GET")
    async with transport.client(ssl.create_default_context(), 1, Limits()) as session:
        await session.get(f"{url}/auth/admin/realms/shop-orders/users/7b1c")
        with pytest.raises(httpx.ConnectError):
            await session.get("http://127.0.0.1:1/auth/admin/realms/shop-orders/users/7b1c")
    assert (refused(), unanswered(), durations()) == (1.0, 1.0, 2.0)


async def test_a_circuit_is_open_while_a_request_waits_for_the_host() -> None:
    async def fails() -> None:
        raise KeycloakUnavailable("down")

    clock = Clock()
    breaker = CircuitBreaker("host", KeycloakUnavailable, clock=clock)
    assert not breaker.is_open
    for _ in range(5):
        with pytest.raises(KeycloakUnavailable):
            await breaker.call(fails)
    assert breaker.is_open
    clock.now += MAX_DEFERRAL
    assert breaker.is_open, "a request that was deferred may be sent again so late"
    clock.now += 2 * MAX_DEFERRAL
    assert not breaker.is_open, "no pair needs the host any more"


@pytest.mark.parametrize(
    ("answer", "result"),
    [({"response": {}}, "allowed"), ({"response": {"warnings": ["x"]}}, "warned"), (ZeroDivisionError(), "failed")],
    ids=["allowed", "warned", "failed"],
)
async def test_a_review_is_counted_by_its_result(answer: object, result: str) -> None:
    grown = {
        name: Growth("admission_reviews_total", result=name) for name in ("allowed", "warned", "refused", "failed")
    }

    async def review(document: object) -> object:
        if isinstance(answer, Exception):
            raise answer
        return answer

    server = Server(cast(Any, SimpleNamespace(path="secret-path")), cast(Any, review))
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    async with listening(runner) as address, aiohttp.ClientSession() as session:
        for path, body in (("secret-path", "{}"), ("secret-path", "no JSON"), ("another", "{}")):
            async with session.post(f"{address}/{path}", data=body):
                pass
    assert {name: growth() for name, growth in grown.items()} == {
        **dict.fromkeys(grown, 0.0),
        result: 1.0,
        "refused": 1.0,
    }, "who does not know the path is not counted"
