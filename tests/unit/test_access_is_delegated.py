"""Who may read is the API server's answer, kept for a minute; without one access is refused."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from integration_operator.runtime.delegated_access import (
    ACCESS_REVIEWS,
    ALLOWED_SECONDS,
    BURST,
    MAX_ANSWERS,
    REFUSED_SECONDS,
    REVIEW_SECONDS,
    TOKEN_REVIEWS,
    Access,
    Decision,
    token_of,
)
from integration_operator.runtime.errors import Unavailable
from tests.support.virtual_time import run

USER = {"username": "system:serviceaccount:monitoring:prometheus", "uid": "u-1", "groups": ["g"], "extra": {"a": ["b"]}}


class Server:
    """An API server that knows some tokens and what they may get."""

    def __init__(self) -> None:
        self.paths: dict[str, set[str]] = {"good": {"/metrics"}}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.failure: Exception | None = None
        self.hangs = False
        self._token = ""

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append((path, body["spec"]))
        if self.hangs:
            await asyncio.sleep(3600)
        if self.failure is not None:
            raise self.failure
        if path == TOKEN_REVIEWS:
            self._token = body["spec"]["token"]
            known = self._token in self.paths
            return {"status": {"authenticated": known, "user": USER} if known else {"error": "invalid"}}
        assert path == ACCESS_REVIEWS
        return {"status": {"allowed": body["spec"]["nonResourceAttributes"]["path"] in self.paths[self._token]}}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def access(server: Server, clock: Clock) -> Access:
    return Access(server, clock)


async def test_the_user_of_the_token_is_asked_for(server: Server, access: Access) -> None:
    assert await access.review("Bearer good", "/metrics") is Decision.ALLOWED
    (_, token), (_, review) = server.asked
    assert token == {"token": "good"}
    assert review == {
        "user": USER["username"],
        "uid": "u-1",
        "groups": ["g"],
        "extra": {"a": ["b"]},
        "nonResourceAttributes": {"path": "/metrics", "verb": "get"},
    }


async def test_a_withdrawn_permission_ends_within_a_minute(server: Server, access: Access, clock: Clock) -> None:
    await access.review("Bearer good", "/metrics")
    server.paths["good"] = set()
    clock.now = ALLOWED_SECONDS - 1
    assert await access.review("Bearer good", "/metrics") is Decision.ALLOWED
    clock.now = ALLOWED_SECONDS
    assert await access.review("Bearer good", "/metrics") is Decision.FORBIDDEN


async def test_a_new_permission_works_after_seconds(server: Server, access: Access, clock: Clock) -> None:
    assert await access.review("Bearer good", "/status") is Decision.FORBIDDEN
    server.paths["good"].add("/status")
    assert await access.review("Bearer good", "/status") is Decision.FORBIDDEN
    clock.now = REFUSED_SECONDS
    assert await access.review("Bearer good", "/status") is Decision.ALLOWED


async def test_an_answer_is_for_one_path(access: Access) -> None:
    assert await access.review("Bearer good", "/metrics") is Decision.ALLOWED
    assert await access.review("Bearer good", "/status") is Decision.FORBIDDEN


async def test_without_an_answer_nobody_may(server: Server, access: Access, clock: Clock) -> None:
    await access.review("Bearer good", "/metrics")
    clock.now = ALLOWED_SECONDS
    server.failure = Unavailable(0, "NoAnswer", "no answer")
    assert await access.review("Bearer good", "/metrics") is Decision.UNAVAILABLE
    server.failure = None
    assert await access.review("Bearer good", "/metrics") is Decision.ALLOWED, "a failure is not kept"


def test_an_answer_that_does_not_come_is_not_waited_for() -> None:
    async def scenario() -> None:
        server, loop = Server(), asyncio.get_running_loop()
        server.hangs = True
        began = loop.time()
        assert await Access(server, loop.time).review("Bearer good", "/metrics") is Decision.UNAVAILABLE
        assert loop.time() - began == pytest.approx(REVIEW_SECONDS)

    run(scenario())


async def test_guesses_delay_nobody_who_was_allowed(server: Server, access: Access, clock: Clock) -> None:
    await access.review("Bearer good", "/metrics")
    clock.now = ALLOWED_SECONDS
    decisions = [await access.review(f"Bearer guess-{number}", "/metrics") for number in range(BURST + 10)]
    assert decisions.count(Decision.UNAVAILABLE) == 10
    assert await access.review("Bearer good", "/metrics") is Decision.ALLOWED


async def test_answers_that_are_kept_are_bounded(access: Access, clock: Clock) -> None:
    await access.review("Bearer good", "/metrics")
    for number in range(MAX_ANSWERS + 50):
        clock.now += 1
        await access.review(f"Bearer guess-{number}", "/metrics")
    assert len(access._refused) == MAX_ANSWERS
    assert len(access._allowed) == 1, "guesses displace no token that was allowed"


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Basic " + base64.b64encode(b"me:abc").decode(), "abc"),
        ("Basic " + base64.b64encode(b":abc").decode(), "abc"),
        ("Basic " + base64.b64encode(b"me").decode(), ""),
        ("Basic " + base64.b64encode(b"me:\xff").decode(), ""),
        ("Basic !", ""),
        ("Bearer", ""),
        ("", ""),
        ("Digest abc", ""),
    ],
)
def test_token_of_a_header(header: str, token: str) -> None:
    assert token_of(header) == token
