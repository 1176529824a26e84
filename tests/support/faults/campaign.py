"""A campaign: all scenarios are recorded, then every run of the plan is executed by some workers."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from tests.support.faults.boundaries import Boundary
from tests.support.faults.journal import Entry, Journal
from tests.support.faults.plan import Spec, all_runs, shuffled
from tests.support.faults.scenarios import SCENARIOS

LONGEST_RUN = 400.0
"""Seconds after which a worker is given up."""
LINE = 16 * 1024 * 1024


@dataclass
class Campaign:
    """The runs of a journal, executed by ``workers`` processes. ``show`` is called after each run."""

    journal: Journal
    scenarios: Sequence[str]
    seed: int
    workers: int
    limit: int = 0
    """The most runs of the plan; 0 for all."""
    quiet_at_rest: float = 60.0
    choose: Callable[[Spec], bool] = lambda spec: True
    show: Callable[[int, int, Entry], None] = lambda done, total, entry: None
    _total: int = 0
    _done: int = 0

    async def execute(self) -> None:
        """Record the scenarios that are not in the journal, then execute the runs that are not."""
        await self._execute([Spec(name) for name in self.scenarios])
        recordings = {name: self.journal.recordings.get(name, ()) for name in self.scenarios}
        runs = [run for run in shuffled(all_runs(recordings), self.seed) if self.choose(run)]
        await self._execute(runs[: self.limit] if self.limit else runs)

    async def _execute(self, runs: list[Spec]) -> None:
        queues: dict[bool, list[Spec]] = {True: [], False: []}
        for run in reversed(runs):
            if run.key not in self.journal.entries:
                queues[SCENARIOS[run.scenario].keycloak].append(run)
        self._total, self._done = len(runs), len(runs) - sum(map(len, queues.values()))
        async with asyncio.TaskGroup() as group:
            for number in range(self.workers):
                mine = [queues[True], queues[False]] if number == 0 else [queues[False]]
                group.create_task(self._work(mine))

    async def _work(self, queues: list[list[Spec]]) -> None:
        """Execute the runs of some queues, the first ones first. Only one worker has a Keycloak, which is large."""
        worker: WorkerProcess | None = None
        try:
            while queue := next(filter(None, queues), None):
                run = queue.pop()
                worker = worker or await WorkerProcess.start()
                entry = await worker.execute(run, self.quiet_at_rest)
                if entry is None:
                    entry = Entry(run, ("the worker ended or hung in this run",), reached=False, seconds=0.0)
                    worker = None
                elif worker.is_broken:
                    await worker.stop()
                    worker = None
                self.journal.add(entry)
                self._done += 1
                self.show(self._done, self._total, entry)
        finally:
            if worker is not None:
                await worker.stop()


class WorkerProcess:
    """A worker as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.is_broken = False
        """True if the worker ends by itself, because its servers are in a state that nothing is known of."""

    @classmethod
    async def start(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Start it, with these variables added to its environment."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.faults.worker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE,
            env={**os.environ, **(environment or {})},
        )
        return cls(process)

    async def execute(self, run: Spec, quiet_at_rest: float) -> Entry | None:
        """Return what a run has shown; None if the worker ended, or was killed because it hung."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {**run.document(), "quiet_at_rest": quiet_at_rest}
        line = b""
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            async with asyncio.timeout(LONGEST_RUN):
                line = await self._process.stdout.readline()
        except (TimeoutError, ConnectionError):
            pass
        if not line:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
            return None
        answer = json.loads(line)
        self.is_broken = answer["last"]
        return _entry(run, answer)

    async def stop(self) -> None:
        """End it, and with it its control planes."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()


def _entry(run: Spec, answer: dict[str, Any]) -> Entry:
    return Entry(
        run,
        tuple(answer["problems"]),
        answer["reached"],
        answer["seconds"],
        answer["phases"],
        tuple(Boundary(*boundary) for boundary in answer["boundaries"]),
        tuple(answer["report"]),
    )
