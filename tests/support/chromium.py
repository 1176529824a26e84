"""A headless Chromium, driven by its DevTools protocol over a websocket."""

from __future__ import annotations

import asyncio
import base64
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "tests of the status page in a browser need Chromium; install it, for example: apt-get install chromium"
START_SECONDS, ANSWER_SECONDS = 30.0, 20.0
COMPLAINTS = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Audits.issueAdded")
"""What Chromium reports if a page does something wrong: a violation of its policy is an entry of the log."""


class Tab:
    """A page in the browser. ``complaints`` has what Chromium reported about it."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loaded = asyncio.Event()
        self.complaints: list[dict[str, Any]] = []
        self.requests: list[str] = []

    async def read(self) -> None:
        """Read what the browser sends, until it ends."""
        async for message in self._socket:
            document = message.json()
            if "id" in document:
                self._answers.pop(document["id"]).set_result(document)
            elif document["method"] in COMPLAINTS:
                self.complaints.append(document["params"])
            elif document["method"] == "Network.requestWillBeSent":
                self.requests.append(document["params"]["request"]["url"])
            elif document["method"] == "Page.loadEventFired":
                self._loaded.set()

    async def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result."""
        number = next(self._numbers)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": parameters})
        document = await asyncio.wait_for(answer, ANSWER_SECONDS)
        assert "result" in document, document
        return dict(document["result"])

    async def open(self, url: str) -> None:
        """Load a page."""
        self._loaded.clear()
        await self.send("Page.navigate", url=url)
        await asyncio.wait_for(self._loaded.wait(), ANSWER_SECONDS)

    async def key(self, key: str, text: str = "", code: int = 0) -> None:
        """Press a key, as a user without a mouse does."""
        pressed = {"key": key, "code": key, "windowsVirtualKeyCode": code}
        await self.send("Input.dispatchKeyEvent", type="keyDown", **pressed, **({"text": text} if text else {}))
        await self.send("Input.dispatchKeyEvent", type="keyUp", **pressed)

    async def submit(self) -> None:
        """Press Enter, and wait for the page that it leads to."""
        self._loaded.clear()
        await self.key("Enter", "\r", 13)
        await asyncio.wait_for(self._loaded.wait(), ANSWER_SECONDS)

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression; the debugger evaluates it, which a policy of the page does not prevent."""
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    async def screenshot(self, width: int, height: int, *, dark: bool = False) -> bytes:
        """Return a picture of the page as PNG."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        await self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        await self.send("Emulation.setEmulatedMedia", features=[scheme])
        return base64.b64decode((await self.send("Page.captureScreenshot", format="png"))["data"])


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    """Run a Chromium with one page. Without Chromium the test is skipped; in CI it fails."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
    profile = tmp_path / "chromium"
    command = [program, "--headless=new", "--remote-debugging-port=0", f"--user-data-dir={profile}", "--no-first-run"]
    command += ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        port = await _port(profile / "DevToolsActivePort")
        async with aiohttp.ClientSession() as session:
            address = f"http://127.0.0.1:{port}/json/new?{quote('about:blank')}"
            async with session.put(address) as response:
                url = (await response.json())["webSocketDebuggerUrl"]
            async with session.ws_connect(url, max_msg_size=0) as socket:
                made = Tab(socket)
                reader = asyncio.create_task(made.read())
                for domain in ("Page", "Log", "Runtime", "Network", "Audits"):
                    await made.send(f"{domain}.enable")
                yield made
                reader.cancel()
    finally:
        process.kill()
        process.wait()


async def _port(file: Path) -> int:
    """Return the port that Chromium chose and wrote into a file."""
    until = time.monotonic() + START_SECONDS
    while not (file.exists() and file.read_text().strip()):
        assert time.monotonic() < until, "Chromium does not start"
        await asyncio.sleep(0.05)
    return int(file.read_text().split()[0])
