"""A projected token is replaced while the operator runs: the file is read again, at once after a 401."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from integration_operator.runtime.client import TOKEN_FILE_PERIOD, Client, TokenFile
from integration_operator.runtime.errors import Unauthorized
from tests.support.kubeconfigs import write_kubeconfig


class Configuration:
    def __init__(self) -> None:
        self.api_key: dict[str, str] = {}


def test_once_a_minute(tmp_path: Path) -> None:
    file, now = tmp_path / "token", [0.0]
    file.write_text("first\n")
    hook, configuration = TokenFile(file, clock=lambda: now[0]), Configuration()
    hook(configuration)
    assert configuration.api_key == {"BearerToken": "Bearer first"}
    file.write_text("second\n")
    hook(configuration)
    assert configuration.api_key == {"BearerToken": "Bearer first"}
    now[0] = TOKEN_FILE_PERIOD
    file.unlink()
    hook(configuration)
    assert configuration.api_key == {"BearerToken": "Bearer first"}, "between two versions of the file"
    file.write_text("second\n")
    hook(configuration)
    assert configuration.api_key == {"BearerToken": "Bearer second"}


@pytest.fixture
async def server() -> AsyncIterator[tuple[int, list[str]]]:
    good = ["first"]

    async def answer(request: web.Request) -> web.Response:
        ok = request.headers.get("Authorization") == f"Bearer {good[0]}"
        return web.json_response({"ok": ok}, status=200 if ok else 401)

    application = web.Application()
    application.router.add_get("/x", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield site._server.sockets[0].getsockname()[1], good  # type: ignore[union-attr]
    await runner.cleanup()


async def test_at_once_after_a_401(server: tuple[int, list[str]], tmp_path: Path) -> None:
    port, good = server
    (tmp_path / "token").write_text("first")
    kubeconfig = write_kubeconfig(tmp_path, port, tokenFile="token")
    async with Client.from_kubeconfig(kubeconfig) as client:
        assert await client.get("/x") == {"ok": True}
        good[0] = "second"
        with pytest.raises(Unauthorized):
            await client.get("/x")
        (tmp_path / "token").write_text("second")
        assert await client.get("/x") == {"ok": True}
