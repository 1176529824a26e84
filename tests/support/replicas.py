"""Processes of the operator that elect a leader, and who of them wrote when, as the API server's audit log has it."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration_operator.manager import OPERATOR_LEASE, Operator, election
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import NotFound
from integration_operator.settings import Settings
from integration_operator_sandbox.controlplane.users import NAMESPACE
from tests.support.documents import Document
from tests.support.world import World

LEASES = f"/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases"
USERS = ("operator", "operator-2")
"""Users of the control plane with one service account; the audit log has them as uids."""
READS = ("get", "list", "watch")


class Replica:
    """One process. It logs to a file; ``user`` is who it is for the API server."""

    def __init__(self, world: World, directory: Path, user: str, command: str, flags: tuple[str, ...]) -> None:
        self.user = user
        self._world = world
        self._log = directory / f"{user}-{time.monotonic_ns()}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._command = [sys.executable, "-m", "integration_operator", command, "--leader-elect", *flags]
        self._command += ["--lease-namespace", NAMESPACE, "--log-format", "json", "--probe-port", "0"]

    def start(self, kubeconfig: Path, *flags: str) -> None:
        """Start the process."""
        command = [*self._command, *flags, "--kubeconfig", str(kubeconfig)]
        if "--metrics-port" not in flags:
            command += ["--metrics-port", "0"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stderr=log, stdout=log, env={"PATH": "/usr/bin:/bin"})

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def returncode(self) -> int | None:
        """The exit code, None while the process runs."""
        assert self._process is not None
        return self._process.poll()

    def events(self, event: str) -> list[Document]:
        """Return the lines of the log with an event."""
        return [line for line in self._lines() if line.get("event") == event]

    @property
    def log(self) -> str:
        """The whole log, for messages."""
        return self._log.read_text() if self._log.exists() else ""

    async def logs(self, event: str, *, within: float = 20.0) -> None:
        """Wait until the process has logged an event."""
        await self._until(f"{self.user} logs {event!r}", lambda: bool(self.events(event)), within)

    async def synced(self, *, within: float = 20.0) -> None:
        """Wait until all kinds that are served are in sync."""
        in_sync = {"AddressSpace", "Syndesis", "Integration", "Secret", "MessagingUser", "Connection"}

        def check() -> bool:
            states = {line["kind"]: line["state"] for line in self.events("kind state changed")}
            return all(states.get(kind) == "in sync" for kind in in_sync)

        await self._until(f"{self.user} is in sync", check, within)

    async def ends(self, *, within: float = 20.0) -> int:
        """Wait until the process has ended, and return its exit code."""
        await self._until(f"{self.user} ends", lambda: self.returncode is not None, within)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        """End the process, also a stopped one."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    async def _until(self, what: str, check: Callable[[], bool], within: float) -> None:
        deadline = time.monotonic() + within
        while not check():
            assert time.monotonic() < deadline, f"not within {within} s: {what}\n{self.log[-3000:]}"
            await asyncio.sleep(0.01)

    def _lines(self) -> list[Document]:
        lines = []
        for line in self.log.splitlines():
            with suppress(ValueError):
                lines.append(json.loads(line))
        return lines


class Replicas:
    """All processes of a test."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self._directory = directory
        self._started: list[Replica] = []

    def start(
        self, user: str, *flags: str, command: str = "run", kubeconfig: Path | None = None, seconds: int = 3
    ) -> Replica:
        """Start a process. The Lease has a duration of ``seconds``; 0 for the default."""
        lease = ("--lease-seconds", str(seconds)) if seconds else ()
        replica = Replica(self.world, self._directory, user, command, lease)
        self._started.append(replica)
        replica.start(kubeconfig or self.world.control_plane.kubeconfig(user), *flags)
        return replica

    async def leader_and_standby(self, *flags: str, **options: Any) -> tuple[Replica, Replica]:
        """Start a process that leads, then one that stands by with its stores in sync."""
        first = self.start(USERS[0], *flags, **options)
        await first.logs("workers started")
        second = self.start(USERS[1], *flags, **options)
        await second.logs("standing by")
        await second.synced()
        return first, second

    def stop(self) -> None:
        """Kill what still runs."""
        for replica in self._started:
            replica.kill()


@asynccontextmanager
async def led(world: World, user: str, client_class: type[Client] = Client, **settings: Any) -> AsyncIterator[Operator]:
    """Run an operator in this process that leads or stands by; it has released its Lease at the end."""
    kubeconfig = world.control_plane.kubeconfig(user)
    lease = {"leader_elect": True, "lease_namespace": NAMESPACE, "lease_seconds": 3}
    chosen = Settings(kubeconfig=kubeconfig, **lease, **settings)
    async with election(chosen, OPERATOR_LEASE) as elector:
        assert elector is not None
        async with client_class.from_kubeconfig(kubeconfig, fence=elector.fence) as client:
            operator = Operator(client, TemplateFiles(), chosen, elector)
            async with operator.running():
                await operator.cache.synced()
                yield operator


async def reconciled(world: World, operator: Operator) -> None:
    """Wait until an operator leads and has reconciled everything."""

    async def idle() -> bool:
        return not operator.queue.paused and operator.queue.idle and len(operator.queue) == 0

    await world.eventually("it leads and has reconciled", idle)


async def forget_leases(world: World) -> None:
    """Delete the Leases, which a killed process leaves behind."""
    for name in ("integration-operator", "connection-controller"):
        with suppress(NotFound):
            await world.kubectl.delete(f"{LEASES}/{name}")


async def holder(world: World, name: str = "integration-operator") -> str:
    """Return the identity of the holder of a Lease."""
    lease = await world.kubectl.get(f"{LEASES}/{name}")
    return str(lease["spec"].get("holderIdentity") or "")


def one_after_the_other(world: World) -> list[str]:
    """Check that each write was sent by the process that held the Lease; return the holders in their order."""
    requests = sorted(world.audit.requests(), key=lambda entry: str(entry["requestReceivedTimestamp"]))
    leaders: list[str] = []
    for entry in requests:
        uid, code = entry["user"]["uid"], entry["responseStatus"]["code"]
        if entry["verb"] in READS:
            continue
        if entry["objectRef"]["resource"] == "leases":
            if code < 300 and leaders[-1:] != [uid]:
                leaders.append(uid)
        else:
            assert leaders[-1:] == [uid], f"{uid} wrote while {leaders[-1:]} led: {entry['verb']} {entry['requestURI']}"
    return leaders


@pytest.fixture
async def replicas(world: World, tmp_path: Path) -> AsyncIterator[Replicas]:
    """Return what starts processes; at the end they are killed."""
    await forget_leases(world)
    world.audit.mark()
    made = Replicas(world, tmp_path)
    yield made
    made.stop()
    await forget_leases(world)


class Wire:
    """A TCP proxy before the API server. While it is cut, it loses what is sent, and answers nothing."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._is_cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port to connect to."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Lose everything from now on; no connection is closed, as when a network is partitioned."""
        self._is_cut = True

    def heal(self) -> None:
        """Relay again. Connections that were cut have lost bytes: they end."""
        for writer in self._writers:
            writer.transport.abort()
        self._is_cut = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Wire]:
        """Serve on loopback."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        try:
            yield self
        finally:
            self._is_cut = True
            self.heal()
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers |= {writer, inner_writer}
        try:
            await asyncio.gather(self._relay(reader, inner_writer), self._relay(inner_reader, writer))
        finally:
            self._writers -= {writer, inner_writer}
            writer.transport.abort()
            inner_writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                if not self._is_cut:
                    writer.write(data)
                    await writer.drain()
            if not self._is_cut:
                writer.close()

    def kubeconfig(self, world: World, user: str, directory: Path) -> Path:
        """Write a kubeconfig that leads through the wire."""
        document = yaml.safe_load(world.control_plane.kubeconfig(user).read_text())
        document["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.port}"
        file = directory / f"kubeconfig-{user}-{self.port}"
        file.touch(mode=0o600)
        file.write_text(yaml.safe_dump(document))
        return file
