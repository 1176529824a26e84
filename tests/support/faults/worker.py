"""A worker of a campaign: reads runs from standard input, a line each, and writes what they have shown.

It starts each control plane when a run first needs it.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from tests.support.faults.cleaning import sweep_up
from tests.support.faults.environment import Environment
from tests.support.faults.faults import FAULTS
from tests.support.faults.operator_process import Zygote
from tests.support.faults.plan import Spec
from tests.support.faults.run import Outcome, Run
from tests.support.faults.scenarios import SCENARIOS

TRIES = 3
"""How often a run is tried whose boundary does not appear: two requests of one process may be one in another run."""

MOST_NAMESPACES = 150
"""Namespaces of finished runs that are kept: the API server has more to do when one is deleted than in a run."""


async def main() -> None:
    """Execute runs until standard input ends."""
    structlog.configure(processors=[drop])
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints must not speak in between
    reader = asyncio.StreamReader(limit=1024 * 1024)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with AsyncExitStack() as stack:
        worker = await stack.enter_async_context(working(stack))
        async for line in reader:
            request = json.loads(line)
            is_broken = False
            try:
                outcome = await worker.execute(Spec.of(request), request["quiet_at_rest"])
            except Exception as error:  # servers that nothing is known of any more are not used again
                outcome = Outcome([f"the harness failed: {type(error).__name__}: {error}"])
                outcome.report, is_broken = traceback.format_exc().splitlines(), True
            output.write(json.dumps({**_document(outcome), "last": is_broken}) + "\n")
            output.flush()
            if is_broken:
                break


class Worker:
    """Executes runs, one after another."""

    def __init__(self, environment: Environment, stack: AsyncExitStack) -> None:
        self._environment = environment
        self._stack = stack
        self._used: dict[str, list[str]] = {}

    async def execute(self, spec: Spec, quiet_at_rest: float) -> Outcome:
        """Execute a run; again if its boundary does not appear."""
        scenario = SCENARIOS[spec.scenario]
        await self._environment.provide(self._stack, scenario)
        plane = self._environment.planes[scenario.plane]
        fault = FAULTS[spec.fault] if spec.fault else None
        for _ in range(TRIES):
            run = Run(self._environment, scenario, fault, spec.boundary, quiet_at_rest=quiet_at_rest)
            outcome = await run.execute()
            used = self._used.setdefault(scenario.plane, [])
            used += run.namespaces
            if len(used) > MOST_NAMESPACES:
                await sweep_up(plane.admin, used)
                used.clear()
            if outcome.reached or outcome.problems or fault is None:
                break
        return outcome


@asynccontextmanager
async def working(stack: AsyncExitStack) -> AsyncIterator[Worker]:
    """Return a worker with a directory of its own, and with a process that forks operators."""
    with tempfile.TemporaryDirectory(prefix="integration-operator-faults-") as directory:
        zygote = await Zygote.start()
        try:
            yield Worker(Environment(zygote, {}, Path(directory)), stack)
        finally:
            await zygote.stop()


def drop(*_: Any) -> Any:
    """Drop the log lines of the simulated platforms."""
    raise structlog.DropEvent


def _document(outcome: Outcome) -> dict[str, Any]:
    return {
        "problems": outcome.problems,
        "reached": outcome.reached,
        "seconds": outcome.total,
        "phases": outcome.seconds,
        "boundaries": [[b.server, b.sort, b.what, b.number] for b in outcome.boundaries],
        "report": outcome.report,
    }


if __name__ == "__main__":
    asyncio.run(main())
