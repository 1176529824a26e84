"""``get -w`` prints each Integration that changes, and ``events -w`` each Event, until the user ends them."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.world import World


@asynccontextmanager
async def watching(kubeconfig: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run a command that goes on; end it as Ctrl-C does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-u", "-m", "integration_operator", *arguments, "--kubeconfig", str(kubeconfig),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()
    assert process.returncode == 130
    assert errors == b""


async def line_with(process: asyncio.subprocess.Process, *texts: str) -> str:
    """Return the next line that has all texts."""
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while True:
            line = (await process.stdout.readline()).decode()
            assert line, "the command ended"
            if all(text in line for text in texts):
                return line


async def test_get(world: World) -> None:
    user = world.control_plane.kubeconfig("user")
    async with world.platforms(), world.operator():
        pair = await world.pair()
        await world.has_reason(pair, "NotEnabled")
        async with watching(user, "get", "-n", pair.syndesis.namespace, "-w") as process:
            assert "NotEnabled" in await line_with(process, str(pair.space))
            await world.enable(pair)
            await line_with(process, str(pair.space), "True", "Ready")


async def test_events(world: World) -> None:
    user = world.control_plane.kubeconfig("user")
    async with world.platforms(), world.operator():
        pair = await world.pair()
        await world.has_reason(pair, "NotEnabled")
        async with watching(user, "events", "-n", pair.syndesis.namespace, "-w") as process:
            await line_with(process, "NotEnabled")
            await world.enable(pair)
            await line_with(process, "Normal", "Ready", "The user can log in")
