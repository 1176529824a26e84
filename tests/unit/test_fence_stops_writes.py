"""No byte of a write leaves the process once the fence is closed, at whatever step of the request it closes.

A process that was stopped for a while continues at any step. So each request is tried with a fence that closes after it
was looked at once, twice and so on.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.session import AdminSession
from integration_operator.backends.keycloak.transport import client as keycloak_client
from integration_operator.backends.limits import Limits
from integration_operator.backends.syndesis.connection_services import ConnectionServices
from integration_operator.runtime.client import Client
from integration_operator.runtime.fence import Fence, NotLeading
from tests.support.kubeconfigs import write_kubeconfig

Request = Callable[[], Awaitable[Any]]


class Looks:
    """A clock at which the time of the fence comes after so many looks."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.number = 0

    def __call__(self) -> float:
        self.number += 1
        return 0.0 if self.number <= self.most else 1000.0


class Server:
    """Answers each request that arrived as a whole, and remembers the methods of all that began to arrive."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.port = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readline():
            self.began.append(head.split()[0].decode())
            length = 0
            while header := (await reader.readline()).strip():
                if header.lower().startswith(b"content-length:"):
                    length = int(header.partition(b":")[2])
            await reader.readexactly(length)
            token = json.dumps({"access_token": "t", "expires_in": 60}).encode()
            head_ = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(token)
            writer.write(head_ + token)
        writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    made = Server()
    listening = await asyncio.start_server(made.connected, "127.0.0.1", 0)
    made.port = listening.sockets[0].getsockname()[1]
    yield made
    listening.close()


def fence(most: float) -> tuple[Fence, Looks]:
    looks = Looks(most)
    made = Fence(50.0, looks)
    made.open(100.0)
    looks.number = 0
    return made, looks


@asynccontextmanager
async def api_server(port: int, directory: Path, fence: Fence) -> AsyncIterator[Client]:
    kubeconfig = write_kubeconfig(directory, port)
    async with Client.from_kubeconfig(kubeconfig, fence=fence) as client:
        yield client


WRITES: dict[str, Callable[[Client], Awaitable[Any]]] = {
    "POST": lambda client: client.post("/x", {"a": 1}),
    "PUT": lambda client: client.put("/x", {"a": 1}),
    "PATCH": lambda client: client.patch("/x", {"a": 1}),
    "DELETE": lambda client: client.delete("/x"),
    "DELETE with options": lambda client: client.delete("/x", {"kind": "DeleteOptions"}),
    "apply": lambda client: client.apply("/x", {"a": 1}, manager="m", force=True),
}


@pytest.mark.parametrize("write", WRITES)
async def test_to_the_api_server(server: Server, tmp_path: Path, write: str) -> None:
    opened, looks = fence(math.inf)
    async with api_server(server.port, tmp_path, opened) as client:
        await WRITES[write](client)
    assert len(server.began) == 1
    steps = looks.number
    assert steps == (3 if write == "DELETE" else 4), (
        "when it is its turn (twice), and when its header and body are sent"
    )
    for most in range(steps):
        closing, _ = fence(most)
        async with api_server(server.port, tmp_path, closing) as client:
            if most == 1:  # the look that only computes the time-out, which has passed
                with pytest.raises(Exception, match=r"NotLeading|NoAnswer"):
                    await WRITES[write](client)
            else:
                with pytest.raises(NotLeading):
                    await WRITES[write](client)
        assert len(server.began) == 1, f"after {most} looks"


async def test_reads_pass(server: Server, tmp_path: Path) -> None:
    async with api_server(server.port, tmp_path, Fence(1.0)) as client:
        await client.get("/x")
    assert server.began == ["GET"]


async def test_a_write_has_to_end_before_another_process_may_lead(tmp_path: Path) -> None:
    """A server that does not answer holds it no longer than that."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listening = await asyncio.start_server(silent, "127.0.0.1", 0)
    loop = asyncio.get_running_loop()
    limited = Fence(0.2, loop.time)
    async with api_server(listening.sockets[0].getsockname()[1], tmp_path, limited) as client:
        limited.open(loop.time() + 1)
        began = loop.time()
        with pytest.raises(Exception, match="NoAnswer"):
            await client.post("/x", {"a": 1})
        assert loop.time() - began < 10  # the client's own limit is 30
    listening.close()


def patience_of(port: int) -> set[int]:
    """Return the milliseconds for which the kernel tries to deliver what this process sends to a port."""
    options = set()
    for connection in psutil.Process().net_connections("tcp4"):
        if connection.raddr and connection.raddr.port == port:
            with socket.socket(fileno=os.dup(connection.fd)) as copy:
                options.add(copy.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT))
    return options


async def test_the_kernel_gives_up_before_another_process_may_lead(server: Server, tmp_path: Path) -> None:
    """Otherwise it would deliver a write minutes later, when a partition heals."""
    opened, _ = fence(math.inf)
    async with api_server(server.port, tmp_path, opened) as client:
        await client.get("/x")
        assert patience_of(server.port) == {50_000}
    limits = Limits(fence=opened)
    services = ConnectionServices(lambda namespace: f"http://127.0.0.1:{server.port}", limits=limits)
    await services.of("fuse")._client.delete("i-1")
    assert patience_of(server.port) == {50_000}
    await services.close()
    async with keycloak_client(httpx.create_ssl_context(), 1, limits) as keycloak:
        await keycloak.get(f"http://127.0.0.1:{server.port}/x")
        assert patience_of(server.port) == {50_000}


async def test_to_a_syndesis_server(server: Server) -> None:
    async def create(limits: Limits) -> None:
        services = ConnectionServices(lambda namespace: f"http://127.0.0.1:{server.port}", limits=limits)
        try:
            await services.of("fuse")._client.delete("i-1")
        finally:
            await services.close()

    opened, looks = fence(math.inf)
    await create(Limits(fence=opened))
    assert server.began == ["DELETE"]
    for most in range(looks.number):
        with pytest.raises(NotLeading):
            await create(Limits(fence=fence(most)[0]))
    assert server.began == ["DELETE"]


async def test_to_a_keycloak(server: Server) -> None:
    """The log-in is a POST, too: who does not lead does not log in."""
    access = KeycloakAccess(f"http://127.0.0.1:{server.port}/auth", "admin", "secret")

    async def write(limits: Limits) -> None:
        session = AdminSession(access, limits=limits)
        try:
            await session.call("PUT", "realm", "users", "u", expect=(200,), body={"a": 1})
        finally:
            await session.aclose()

    opened, looks = fence(math.inf)
    await write(Limits(fence=opened))
    assert server.began == ["POST", "PUT"]
    assert looks.number == 4
    for most in range(4):
        server.began.clear()
        with pytest.raises(NotLeading):
            await write(Limits(fence=fence(most)[0]))
        # The header may be on its way; without its body a server does nothing.
        assert "PUT" not in server.began[: 1 if most < 3 else 0]


async def test_a_keycloak_gets_no_body(server: Server) -> None:
    answered: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answered.append(await reader.read())
        writer.close()

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    for most, expected in ((0, b""), (1, b"PUT")):
        answered.clear()
        async with keycloak_client(httpx.create_ssl_context(), 1, Limits(fence=fence(most)[0])) as client:
            with pytest.raises(NotLeading):
                await client.put(f"http://127.0.0.1:{port}/x", content=b"secret-body")
        await asyncio.sleep(0.05)
        assert [data[:3] for data in answered] == [expected]
        assert b"secret-body" not in b"".join(answered)
    listening.close()


TICKING = """
import sys, time
from integration_operator.runtime.fence import Fence, boot_time, set_alarm

fence = Fence(0.4, alarm=set_alarm)
fence.open(boot_time() + 0.4)
if sys.argv[1:] == ["closed"]:
    fence.close()
print("ready", flush=True)
for _ in range(100):
    time.sleep(0.01)
    print("writes", flush=True)
"""


def test_a_process_that_was_stopped_ends_before_its_next_instruction() -> None:
    """Whatever it was about to do: here, to write with no check of the fence at all."""
    process = subprocess.Popen([sys.executable, "-c", TICKING], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    time.sleep(0.8)
    os.set_blocking(process.stdout.fileno(), False)
    process.stdout.read()
    os.set_blocking(process.stdout.fileno(), True)
    process.send_signal(signal.SIGCONT)
    assert process.stdout.read() == b""
    assert process.wait() == -signal.SIGALRM


def test_a_closed_fence_ends_nothing() -> None:
    process = subprocess.run([sys.executable, "-c", TICKING, "closed"], capture_output=True, text=True, check=True)
    assert process.stdout.count("writes") == 100


def test_the_process_ends_in_the_middle_of_the_grace_unless_the_fence_is_closed_before() -> None:
    alarms: list[float] = []
    made = Fence(10.0, lambda: 100.0, alarms.append)
    made.open(120.0)
    assert alarms == [25.0]
    made.open(90.0)
    assert 0.0 < alarms[-1] < 1.0, "a time that has passed ends it now; 0 would be never"
    made.close()
    assert alarms[-1] == 0.0
