"""The operator as a process: started, killed, and started again, as its Deployment does."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Self

from tests.support.faults import zygote

START_SECONDS = 60.0
LEADERSHIP_LOST = 6, -signal.SIGALRM
"""How one of several processes ends if a busy machine keeps it from renewing a Lease of a few seconds."""


class Zygote:
    """The process from which operators are forked."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._started: asyncio.Queue[int] = asyncio.Queue()
        self._endings: dict[int, asyncio.Future[int]] = {}
        self._reading = asyncio.create_task(self._read())
        self._lock = asyncio.Lock()
        self._ready = asyncio.Event()

    @classmethod
    async def start(cls) -> Self:
        """Start it, and return once it has loaded the operator."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, zygote.__file__, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        started = cls(process)
        await asyncio.wait_for(started._ready.wait(), START_SECONDS)
        return started

    async def fork(self, arguments: list[str], log: Path, request_seconds: float = 0.0) -> int:
        """Start an operator with these arguments; return its pid."""
        request = {"arguments": arguments, "log": str(log), "request_seconds": request_seconds}
        assert self._process.stdin is not None
        async with self._lock:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            return await asyncio.wait_for(self._started.get(), START_SECONDS)

    async def ended(self, pid: int) -> int:
        """Return the exit code of a process once it has ended; negative for a signal."""
        return await asyncio.shield(self._ending(pid))

    async def stop(self) -> None:
        """End the process, and with it all operators."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        self._reading.cancel()

    def _ending(self, pid: int) -> asyncio.Future[int]:
        return self._endings.setdefault(pid, asyncio.get_running_loop().create_future())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            answer: dict[str, Any] = json.loads(line)
            if "ready" in answer:
                self._ready.set()
            elif "started" in answer:
                self._started.put_nowait(answer["started"])
            else:
                self._ending(answer["ended"]).set_result(answer["code"])


class Deployment:
    """Keeps processes of the operator running: starts another when one ends.

    Each has a number, which is 0 for the first. ``prepare`` returns the arguments of the process with a number;
    ``ended`` is called with it when the process has ended.
    """

    def __init__(
        self,
        parent: Zygote,
        prepare: Callable[[int], Awaitable[list[str]]],
        log: Path,
        *,
        replicas: int = 1,
        ended: Callable[[int], None] = lambda life: None,
        request_seconds: float = 0.0,
    ) -> None:
        self.lives = 0
        """How many processes were started."""
        self.failures: list[str] = []
        """How processes ended that were not told to, or not as they were told to."""
        self._parent = parent
        self._prepare = prepare
        self._log = log
        self._request_seconds = request_seconds
        self._replicas = replicas
        self._ended = ended
        self._pids: dict[int, int] = {}
        """The processes that run, by their number."""
        self._told: dict[int, set[int]] = {}
        """The exit codes that are expected of processes that were told to end."""
        self._forking = asyncio.Lock()
        self._may_start = asyncio.Event()
        self._may_start.set()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._run()) for _ in range(self._replicas)]
        return self

    async def __aexit__(self, *_: object) -> None:
        async with self._forking:  # a process whose pid is not known yet would stay
            for task in self._tasks:
                task.cancel()
        await asyncio.wait(self._tasks)
        for life, pid in list(self._pids.items()):
            self.kill(life)
            await self._parent.ended(pid)

    @property
    def running(self) -> list[int]:
        """The numbers of the processes that run."""
        return list(self._pids)

    @property
    def pids(self) -> dict[int, int]:
        """The pids of the processes that run, by their number."""
        return dict(self._pids)

    @asynccontextmanager
    async def paused(self) -> AsyncIterator[None]:
        """Kill all processes, and start the next ones after the block."""
        self._may_start.clear()
        for life in self._pids:
            self.kill(life)
        try:
            yield
        finally:
            self._may_start.set()

    def kill(self, life: int) -> None:
        """Kill a process with SIGKILL, if it runs."""
        self._tell(life, signal.SIGKILL, -signal.SIGKILL)

    def stop(self, life: int) -> None:
        """Stop a process with SIGTERM, as a rolling update does."""
        self._tell(life, signal.SIGTERM, 0)

    def _tell(self, life: int, number: signal.Signals, code: int) -> None:
        if (pid := self._pids.get(life)) is not None:
            self._told.setdefault(life, set()).add(code)
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    async def _run(self) -> None:
        while True:
            await self._may_start.wait()
            async with self._forking:
                life = self.lives
                arguments = await self._prepare(life)
                pid = self._pids[life] = await self._parent.fork(arguments, self._log, self._request_seconds)
                self.lives += 1
            code = await self._parent.ended(pid)
            del self._pids[life]
            self._ended(life)
            allowed = self._told.get(life, set()) | set(LEADERSHIP_LOST if self._replicas > 1 else ())
            if code not in allowed:
                self.failures.append(f"process {life} of the operator ended by itself with code {code}")
                await asyncio.sleep(0.5)
