"""A command that waits for more than a second says for what, on a terminal only, and leaves no trace of that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from tests.support.command_line import on_terminal, piped
from tests.support.kubeconfigs import write_kubeconfig

GROUP = "/apis/integreatly.org"
SAID = "reading the cluster …"


@asynccontextmanager
async def server(directory: Path, delay: float) -> AsyncIterator[Path]:
    """Run a server whose LIST of Integrations takes a while; yield its kubeconfig."""

    async def group(_: web.Request) -> web.Response:
        return web.json_response({"preferredVersion": {"version": "v1alpha1"}, "versions": [{"version": "v1alpha1"}]})

    async def version(_: web.Request) -> web.Response:
        return web.json_response({"resources": [{"name": "integrations", "verbs": ["list", "watch"]}]})

    async def listed(_: web.Request) -> web.Response:
        await asyncio.sleep(delay)
        return web.json_response({"kind": "IntegrationList", "metadata": {"resourceVersion": "1"}, "items": []})

    application = web.Application()
    application.add_routes(
        [
            web.get(GROUP, group),
            web.get(f"{GROUP}/v1alpha1", version),
            web.get(f"{GROUP}/v1alpha1/namespaces/default/integrations", listed),
        ]
    )
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield write_kubeconfig(directory, runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def test_a_slow_cluster(tmp_path: Path) -> None:
    async with server(tmp_path, 1.5) as kubeconfig:
        shown = await on_terminal(kubeconfig, "get")
        in_a_pipe = await piped(kubeconfig, "get")
    assert shown.out == f"{SAID}\r\x1b[KNo Integration in namespace default.\n"
    assert (in_a_pipe.out, in_a_pipe.err) == ("", "No Integration in namespace default.\n")


async def test_a_quick_cluster(tmp_path: Path) -> None:
    async with server(tmp_path, 0.0) as kubeconfig:
        assert SAID not in (await on_terminal(kubeconfig, "get")).out
