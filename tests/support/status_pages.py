"""The status page of a process, as a client gets it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import aiohttp

from integration_operator_sandbox.localhost.machine import free_port
from tests.support.replicas import Replicas
from tests.support.world import World

HOST = "127.0.0.1"


@dataclass
class Answer:
    """An answer: its status, headers and text."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def document(self) -> Any:
        """The JSON in it."""
        return json.loads(self.text)


async def fetch(
    port: int, path: str = "/status", *, method: str = "GET", tls: bool = False, host: str = HOST, **headers: str
) -> Answer:
    """Send a request and return the answer. ``_`` in the name of a header stands for ``-``."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    url = f"{'https' if tls else 'http'}://{host}:{port}{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url, headers=sent, ssl=False) as response:
        return Answer(response.status, response.headers, await response.text())


async def serving(world: World, replicas: Replicas, *flags: str, user: str = "operator", tls: bool = False) -> int:
    """Start a process with a status page; return its port when it is ready."""
    port = free_port()
    replicas.start(user, "--status-page", "--bind-address", HOST, "--metrics-port", str(port), *flags)

    async def ready() -> bool:
        try:
            return (await fetch(port, "/readyz", tls=tls)).status == 200
        except (OSError, aiohttp.ClientError):
            return False

    await world.eventually("it is ready", ready)
    return port


@dataclass
class Markup(HTMLParser):
    """The elements of a page, and the text of its cells by table and row."""

    def __post_init__(self) -> None:
        super().__init__()

    elements: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    tables: list[list[list[str]]] = field(default_factory=list)
    text: str = ""
    _cell: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self._cell = []

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td") and self._cell is not None:
            self.tables[-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell is not None:
            self._cell.append(data)


def markup_of(text: str) -> Markup:
    """Parse a page."""
    markup = Markup()
    markup.feed(text)
    markup.close()
    return markup


def rows(text: str) -> list[dict[str, str]]:
    """Return the Integrations of a page, each by the heads of the columns."""
    heads, *found = markup_of(text).tables[0]
    return [dict(zip(heads, row, strict=True)) for row in found]
