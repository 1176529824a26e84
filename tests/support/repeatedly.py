"""Something that a test looks at again and again while it does something else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


@asynccontextmanager
async def repeatedly(look: Callable[[], None], *, every: float) -> AsyncIterator[None]:
    """Call ``look`` every so many seconds during the block, and once at its end; raise what it raises."""
    over = asyncio.Event()

    async def until_over() -> None:
        while not over.is_set():
            look()
            await asyncio.sleep(every)
        look()

    looking = asyncio.create_task(until_over())
    try:
        yield
    finally:
        over.set()
        await looking
