"""Requests to the probes and metrics of a process."""

from __future__ import annotations

import asyncio
import time

import aiohttp


async def answer(port: int, path: str) -> tuple[int, str]:
    """Return status and text of a path on loopback; wait until the process listens."""
    until = time.monotonic() + 15
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"http://127.0.0.1:{port}{path}") as response:
                    return response.status, await response.text()
            except aiohttp.ClientError:
                assert time.monotonic() < until, f"{path} does not answer"
                await asyncio.sleep(0.1)
