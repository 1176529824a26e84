"""A process that is being stopped does not wait for kopf to be started again, even if kopf fails at its end."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import kopf
import pytest

from integration_operator import host
from integration_operator.settings import Settings


async def closed() -> None:
    pass


async def test_a_failure_after_the_cleanup_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = asyncio.Event()

    async def operator(**_: Any) -> None:
        stop.set()  # as the cleanup does
        raise RuntimeError("too late to matter")

    monkeypatch.setattr(kopf, "operator", operator)
    hosting = host._host(cast(Any, None), Settings(), asyncio.Event(), stop, closed)
    await asyncio.wait_for(hosting, host.RESTART_DELAY / 3)
