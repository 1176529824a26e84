"""Threat: a tenant's pod calls the admission server itself. It learns nothing, and the server stays as it is."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import ssl
import time
import zlib
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from integration_operator.admission.registration import MIN_PATH
from integration_operator.runtime.errors import Forbidden
from tests.support.admission import HOST, WEBHOOKS, Webhook, integration
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.processes import child_with
from tests.support.replicas import Replicas
from tests.support.tenants import tenant
from tests.support.world import World

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)

MIB = 1024 * 1024
NOT_HTTP = {
    "bytes": b"\x00\xff by a stranger\r\n\r\n",
    "another version": b"GET /by a stranger HTTP/9.9\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 5000 + b"\r\n",
    "a chunk without size": b"POST /PATH HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nby a stranger\r\n",
}
FLOOD = 1000
"""Connections. Without a bound, each takes 0.25 MiB."""


def review(namespace: str, **request: Any) -> dict[str, Any]:
    """Return an AdmissionReview as an API server sends it, with what a tenant changes in it."""
    document = integration(namespace, "mine", "nowhere")
    request = {"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE", "object": document, **request}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


async def post(url: str, body: bytes, **headers: str) -> tuple[int, str]:
    """Return status and text of the answer to a request that no API server sent."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=body, headers={"Content-Type": "application/json", **headers}, ssl=False) as response,
    ):
        return response.status, await response.text()


async def test_only_who_knows_the_path_gets_an_answer(world: World, hook: Webhook, tmp_path: Path) -> None:
    shop = await world.namespace("shop")
    await hook.install()
    async with world.operator(**hook.settings), tenant(world, "stranger", shop, tmp_path) as stranger:
        await hook.answered(shop)
        url = (await hook.client_config())["url"]
        body = json.dumps(review(shop)).encode()
        status, text = await post(url, body)
        assert status == 200
        assert "does not exist" in text
        root, _, path = url.rpartition("/")
        for guess in ("", path[:-1], "0" * len(path), f"{path}/", f"%2F{path}", path.upper()):
            assert await post(f"{root}/{guess}", body) == (404, ""), guess
        with pytest.raises(Forbidden):
            await stranger.get(f"{WEBHOOKS}/integration-operator")


async def test_nothing_is_answered_before_there_is_a_path(world: World, hook: Webhook) -> None:
    shop = await world.namespace("shop")
    async with world.operator(**hook.settings):
        for path in ("", "0" * MIN_PATH):
            url = f"https://127.0.0.1:{hook.port}/{path}"
            assert await post(url, json.dumps(review(shop)).encode()) == (404, "")


async def test_bodies_that_no_api_server_sends(world: World, hook: Webhook, operator_log: io.StringIO) -> None:
    shop = await world.namespace("shop")
    document = integration(shop, "mine", "nowhere")
    wrong: dict[str, tuple[bytes, dict[str, str], int]] = {
        "empty": (b"", {}, 400),
        "not JSON": (b"{", {}, 400),
        "not UTF-8": (b'"\xff"', {}, 400),
        "an unknown charset": (b"{}", {"Content-Type": "application/json; charset=nonsense"}, 400),
        "nested deeply": (b"[" * 500_000, {}, 400),
        "a list": (b"[]", {}, 400),
        "no request": (json.dumps({"apiVersion": "admission.k8s.io/v1"}).encode(), {}, 400),
        "of a Secret": (json.dumps(review(shop, object={"apiVersion": "v1", "kind": "Secret"})).encode(), {}, 400),
        "without metadata": (json.dumps(review(shop, object={**document, "metadata": None})).encode(), {}, 400),
        "a name that is a number": (
            json.dumps(review(shop, object={**document, "metadata": {"name": 1}})).encode(),
            {},
            400,
        ),
        "a long uid": (json.dumps(review(shop, uid="0" * 1000)).encode(), {}, 400),
        "2 MiB": (b" " * 2 * MIB, {}, 413),
        "100 MiB in 100 KiB": (zlib.compress(b" " * 100 * MIB), {"Content-Encoding": "deflate"}, 400),
    }
    await hook.install()
    async with world.operator(**hook.settings):
        await hook.answered(shop)
        url = (await hook.client_config())["url"]
        for what, (body, headers, code) in wrong.items():
            status, text = await post(url, body, **headers)
            assert status == code, (what, text)
            assert len(text) < 200, what
        for what, sent in NOT_HTTP.items():
            reader, writer = await asyncio.open_connection(HOST, hook.port, ssl=ssl._create_unverified_context())
            writer.write(sent.replace(b"PATH", url.rpartition("/")[2].encode()))
            assert (await asyncio.wait_for(reader.read(), 5)).split()[1:2] == [b"400"], what
            writer.close()
        await hook.answered(shop)
    assert "Traceback" not in operator_log.getvalue()
    assert "by a stranger" not in operator_log.getvalue()
    assert url.rpartition("/")[2] not in operator_log.getvalue()


@pytest.mark.parametrize("encrypted", [True, False], ids=["TLS", "TCP"])
async def test_a_flood_of_connections(world: World, hook: Webhook, replicas: Replicas, encrypted: bool) -> None:
    """Each sends what it can and waits. Memory stays bounded, warnings come back, and the process ends quickly."""
    shop = await world.namespace("shop")
    await hook.install()
    operator = replicas.start("operator", *hook.flags())
    await hook.answered(shop)
    process = child_with(str(hook.port))
    unfinished = b"POST /guess HTTP/1.1\r\nX: " + b"x" * 8000 if encrypted else b"\x16\x03\x01\x02"
    writers: list[asyncio.StreamWriter] = []

    async def connect() -> None:
        with suppress(OSError):
            context = ssl._create_unverified_context() if encrypted else None
            _, writer = await asyncio.open_connection(HOST, hook.port, ssl=context)
            writers.append(writer)
            writer.write(unfinished)

    peak = 0
    for _ in range(FLOOD // 20):
        await asyncio.gather(*(connect() for _ in range(20)))
        peak = max(peak, process.memory_info().rss)
    assert peak < 250 * MIB, peak / MIB
    assert operator.returncode is None
    await world.eventually("connections end", partial(few, process), within=15)
    await hook.answered(shop)
    await asyncio.gather(*(connect() for _ in range(20)))
    began = time.monotonic()
    operator.send(signal.SIGTERM)
    assert await operator.ends() == 0
    assert time.monotonic() - began < 5
    assert "Traceback" not in operator.log
    for writer in writers:
        writer.transport.abort()


async def few(process: psutil.Process) -> bool:
    return process.num_fds() < 100
