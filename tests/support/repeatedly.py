"""Something that a test looks at again and again while it does something else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def repeatedly(look: Callable[[], Awaitable[None] | None], *, every: float) -> AsyncIterator[None]:
    """Call ``look`` every so many seconds during the block, and once at its end; raise what it raises."""
    over = asyncio.Event()

    async def once() -> None:
        if (looking := look()) is not None:
            await looking

    async def until_over() -> None:
        while not over.is_set():
            await once()
            await asyncio.sleep(every)
        await once()

    looking = asyncio.create_task(until_over())
    try:
        yield
    finally:
        over.set()
        await looking
