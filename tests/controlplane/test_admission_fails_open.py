"""Without an operator that answers, everything is admitted, without warnings, and at the latest after its time-out."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import yaml

from integration_operator.runtime.ref import Ref
from tests.support.admission import DEPLOY, HOST, Webhook, integration
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.replicas import Replicas
from tests.support.world import World

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)

KUBECTL_SECONDS = 1.5
"""Seconds that kubectl needs by itself on a busy machine."""


@asynccontextmanager
async def counting(port: int) -> AsyncIterator[list[float]]:
    """Accept connections and never answer; yield the times at which they came."""
    came: list[float] = []

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(time.monotonic())
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accepted, HOST, port)
    try:
        yield came
    finally:
        server.close()


async def called(world: World, hook: Webhook, namespace: str, came: list[float]) -> None:
    """Wait until the API server calls the webhook."""

    async def has_come() -> bool:
        await hook.warnings(integration(namespace, "probe", "nowhere"), "--dry-run=server")
        return bool(came)

    await world.eventually("the API server calls the webhook", has_come)


async def test_nobody_listens_any_more(world: World, hook: Webhook) -> None:
    shop = await world.namespace("shop")
    async with counting(hook.port) as came:
        await hook.install()
        await called(world, hook, shop, came)
    began = time.monotonic()
    assert await hook.warnings(integration(shop, "mine", "nowhere")) == []
    assert time.monotonic() - began < KUBECTL_SECONDS
    assert await world.get("Integration", Ref(shop, "mine")) is not None


async def test_a_server_that_never_answers(world: World, hook: Webhook) -> None:
    shop = await world.namespace("shop")
    shipped = yaml.safe_load((DEPLOY / "admission" / "webhook.yaml").read_text())["webhooks"][0]
    async with counting(hook.port) as came:
        await hook.install()
        await called(world, hook, shop, came)
        began = time.monotonic()
        assert await hook.warnings(integration(shop, "mine", "nowhere")) == []
        seconds = time.monotonic() - began
    assert shipped["timeoutSeconds"] == 2
    assert 2 <= seconds < 2 + KUBECTL_SECONDS
    assert await world.get("Integration", Ref(shop, "mine")) is not None


async def test_the_operator_is_killed(world: World, hook: Webhook, replicas: Replicas) -> None:
    shop = await world.namespace("shop")
    await hook.install()
    operator = replicas.start("operator", *hook.flags())
    await hook.answered(shop)
    assert await hook.warnings(integration(shop, "before", "nowhere")) != []
    operator.send(signal.SIGKILL)
    await operator.ends()
    began = time.monotonic()
    assert await hook.warnings(integration(shop, "after", "nowhere")) == []
    assert time.monotonic() - began < KUBECTL_SECONDS
    assert await world.get("Integration", Ref(shop, "after")) is not None


async def test_what_the_operator_writes_is_not_reviewed(world: World, hook: Webhook) -> None:
    """Neither its offers, nor what it fills in, nor a status, whoever writes it."""
    async with counting(hook.port) as came:
        await hook.install()
        async with world.platforms(), world.operator(enable_new=True):
            pair = await world.pair()
            await world.has_reason(pair, "Ready")
            ref = Ref(pair.syndesis.namespace, "mine")
            await world.create("Integration", *ref, spec={}, status={"statusMessage": "of a user"})
        assert len(came) == 1, "the user's own Integration, whose status the user then writes"


async def test_a_process_that_answers_reviews_ends_as_fast(world: World, hook: Webhook, replicas: Replicas) -> None:
    """API servers keep their connections open, which must not delay the end."""
    shop = await world.namespace("shop")
    await hook.install()
    operator = replicas.start("operator", *hook.flags())
    await hook.answered(shop)
    began = time.monotonic()
    operator.send(signal.SIGTERM)
    assert await operator.ends() == 0
    assert time.monotonic() - began < 5
    assert operator.events("stopped")
    assert "Traceback" not in operator.log
