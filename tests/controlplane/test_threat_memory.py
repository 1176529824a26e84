"""Threat: hundreds of objects of a megabyte that carry our label. Memory stays bounded, at a start too."""

from __future__ import annotations

import asyncio
import base64
import os
import sys
from pathlib import Path

import psutil
import pytest

from integration_operator.api import names
from integration_operator.runtime.ref import Ref
from tests.support.documents import path
from tests.support.tenants import tenant
from tests.support.world import World

MIB = 1024 * 1024
MOST = 250 * MIB
COUNT = 150


def body(kind: str, number: int) -> dict[str, object]:
    metadata = {"name": f"big-{number}", "labels": {names.INTEGRATION_LABEL: "big"}}
    if kind == "Secret":
        data = {f"key-{n}": base64.b64encode(os.urandom(17_500)).decode() for n in range(40)}  # 700 kB
        return {"metadata": metadata, "data": data}
    annotations = {f"big.example.org/{n}": os.urandom(60_000).hex() for n in range(2)}  # 240 kB, the most there may be
    return {
        "apiVersion": "user.enmasse.io/v1beta1",
        "kind": "MessagingUser",
        "metadata": {**metadata, "name": f"orders.big-{number}", "annotations": annotations},
        "spec": {"username": f"big-{number}", "authentication": {"type": "password", "password": "eA=="}},
    }


@pytest.mark.parametrize("kind", ["Secret", "MessagingUser"])
async def test_big_objects_at_a_start(world: World, tmp_path: Path, kind: str) -> None:
    bystander = await world.pair()
    mallory = await world.namespace("mallory")
    async with tenant(world, "stranger", mallory, tmp_path) as stranger:
        await asyncio.gather(*(stranger.post(path(kind, mallory), body(kind, number)) for number in range(COUNT)))
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "integration_operator",
            "run",
            "--probe-port",
            "0",
            "--metrics-port",
            "0",
            "--enable-new",
        ),
        *("--kubeconfig", str(world.control_plane.kubeconfig("operator"))),
        stderr=asyncio.subprocess.DEVNULL,
    )
    peak = 0
    try:
        watched = psutil.Process(process.pid)
        settled = asyncio.create_task(world.delivered(bystander))
        while not settled.done():
            peak = max(peak, watched.memory_info().rss)
            await asyncio.sleep(0.01)
        await settled
        await asyncio.sleep(2)
        peak = max(peak, watched.memory_info().rss)
    finally:
        process.terminate()
        await process.wait()
        for number in range(COUNT):
            await world.delete(kind, Ref(mallory, str(body(kind, number)["metadata"]["name"])))  # type: ignore[index]
    assert peak < MOST, f"{peak / MIB:.0f} MiB"
