"""A Keycloak that answers without measure costs one typed failure, in its time and within its bytes; the log-in too."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.client import MAX_PAGES, PAGE, KeycloakUsers
from integration_operator.backends.keycloak.desired import UserKey
from integration_operator.backends.keycloak.errors import KeycloakFailure, KeycloakUnavailable
from integration_operator.backends.limits import ANSWER_BYTES, Limits
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.errors import Deferred
from integration_operator.runtime.ref import Ref

MIB = 1024 * 1024
SECONDS = 1.0
PAIR = Pair(Ref("shop", "orders"), Ref("fuse", "syndesis"))
KEY = UserKey(realm="shop-orders", pair=PAIR, username=naming.username(PAIR))
REALM = {"realm": "shop-orders", "attributes": {"namespace": "shop", "enmasse-realm": "true"}}
JSON_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
PIECE = 64 * 1024
BOMB = gzip.compress(b"[" + b" " * 64 * MIB)
Send = Callable[[bytes], Awaitable[None]]
Answer = Callable[[Send], Awaitable[None]]


def as_json(document: Any) -> Answer:
    data = json.dumps(document).encode()
    return as_bytes(JSON_HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(data), data))


def as_bytes(data: bytes) -> Answer:
    return lambda send: send(data)


async def endless(send: Send, status: bytes = b"200 OK") -> None:
    await send(b"HTTP/1.1 " + status + b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await send(b"10000\r\n" + b" " * 65536 + b"\r\n")


async def endless_refusal(send: Send) -> None:
    await endless(send, b"503 Unavailable")


async def trickle(send: Send) -> None:
    await send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        await send(b"1\r\n \r\n")
        await asyncio.sleep(0.05)


ANSWERS = {
    "without end": endless,
    "a refusal without end": endless_refusal,
    "slowly without end": trickle,
    "packed": as_bytes(JSON_HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(BOMB), BOMB)),
    "deeply nested": as_bytes(JSON_HEAD + b"Content-Length: 200000\r\n\r\n" + b"[" * 100_000 + b"]" * 100_000),
    "a deeply nested object": as_bytes(
        JSON_HEAD + b"Content-Length: 140000\r\n\r\n" + b'{"a":' * 20_000 + b"[]" + b" " * 19_998 + b"}" * 20_000
    ),
    "many values": as_json([{}] * 400_000),
    "a wide head": as_bytes(JSON_HEAD + b"X-Wide: " + b"x" * 10 * MIB + b"\r\n\r\n{}"),
    "many heads": as_bytes(JSON_HEAD + b"".join(b"X-%d: x\r\n" % n for n in range(200_000)) + b"\r\n{}"),
    "elsewhere": as_bytes(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
}


class Hostile:
    """A Keycloak that logs in and shows the realm as one does, unless it is told to answer otherwise."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer | Callable[[str], Answer]] = {
            "token": as_json({"access_token": "t", "expires_in": 60}),
            "realm": as_json(REALM),
            "users": as_json([]),
        }
        self.page: Callable[[str], Answer] | None = None
        self.asked: list[str] = []
        self._tasks: set[asyncio.Task[Any] | None] = set()

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())

        async def send(data: bytes) -> None:
            for begin in range(0, len(data), PIECE):
                writer.write(data[begin : begin + PIECE])
                await writer.drain()

        try:
            while request := await reader.readline():
                path, length = request.split()[1].decode(), 0
                while header := (await reader.readline()).strip():
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.partition(b":")[2])
                await reader.readexactly(length)
                self.asked.append(path)
                if "users" in path and self.page is not None:
                    await self.page(path)(send)
                    continue
                kind = "token" if path.endswith("/token") else "users" if "users" in path else "realm"
                await self.answers[kind](send)  # type: ignore[arg-type, misc]
        except (OSError, asyncio.CancelledError):  # the client has had enough, or the test
            pass
        finally:
            writer.close()

    def stop(self) -> None:
        for task in self._tasks:
            if task is not None:
                task.cancel()


@asynccontextmanager
async def hostile() -> AsyncIterator[tuple[Hostile, KeycloakUsers]]:
    server = Hostile()
    listening = await asyncio.start_server(server.connected, "127.0.0.1", 0)
    access = KeycloakAccess(f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/auth", "admin", "secret")
    users = KeycloakUsers(access, limits=Limits(seconds=SECONDS))
    try:
        yield server, users
    finally:
        await users.aclose()
        listening.close()
        server.stop()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("to", ["token", "realm", "users"])
async def test_one_answer_is_bounded(answer: Answer, to: str) -> None:
    async with hostile() as (server, users):
        server.answers[to] = answer
        tracemalloc.start()
        try:
            async with asyncio.timeout(2 * SECONDS + 8):
                with pytest.raises(KeycloakFailure) as caught:
                    await users.remove(KEY)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert isinstance(caught.value, KeycloakUnavailable)
        assert peak < 20 * ANSWER_BYTES  # the library parses a log-in itself
        assert not any("elsewhere" in path for path in server.asked)


async def test_users_without_a_last_page_end_and_keycloak_is_left_alone() -> None:
    def page(path: str) -> Answer:
        first = int(path.partition("first=")[2].partition("&")[0])
        return as_json([{"id": f"u-{n}", "username": f"ann-{n}"} for n in range(first, first + PAGE)])

    async with hostile() as (server, users):
        server.page = page
        with pytest.raises(KeycloakUnavailable, match="more than 5000 user names"):
            await users.exists(KEY)
        asked = len(server.asked)
        assert asked == MAX_PAGES + 1
        with pytest.raises(Deferred):
            await users.exists(KEY)
        assert len(server.asked) == asked


@pytest.mark.parametrize("identifier", ["..", ".", ""])
async def test_an_id_in_an_answer_leads_to_no_other_path(identifier: str) -> None:
    attributes = {
        "resourceName": [KEY.resource_name],
        "resourceNamespace": ["shop"],
        "authenticationType": ["password"],
    }
    async with hostile() as (server, users):
        server.answers["users"] = as_json([{"id": identifier, "username": KEY.name, "attributes": attributes}])
        with pytest.raises(KeycloakUnavailable):
            await users.remove(KEY)
        assert server.asked[-1].startswith("/auth/admin/realms/shop-orders/users?")


@pytest.mark.parametrize("created", [10**30, -(10**18), 10**15])
async def test_a_time_that_is_none_is_no_user(created: int) -> None:
    async with hostile() as (server, users):
        server.answers["users"] = as_json([{"id": "u", "username": KEY.name, "createdTimestamp": created}])
        with pytest.raises(KeycloakUnavailable, match="not a list of users"):
            await users.exists(KEY)
