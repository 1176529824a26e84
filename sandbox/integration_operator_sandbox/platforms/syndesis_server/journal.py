"""Requests that the server received, and faults that tests inject."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class Request:
    """A request and the status of its answer."""

    method: str
    path: str
    """The path with the query."""
    headers: dict[str, str]
    body: Any
    """The JSON that was sent, if any."""
    status: int = 0
    """Status of the answer; 0 if the connection was closed instead."""


@dataclass(slots=True)
class Fault:
    """An answer that replaces the server's own a number of times."""

    times: int
    status: int
    body: bytes
    content_type: str
    method: str | None
    path_prefix: str | None
    after: bool

    def matches(self, request: Request) -> bool:
        """Return True if the fault applies to this request and is not used up."""
        return (
            self.times > 0
            and self.method in (None, request.method)
            and (self.path_prefix is None or request.path.startswith(self.path_prefix))
        )

    def answer(self) -> web.Response | None:
        """Return the answer for the client; None if the connection is to be closed."""
        if self.status == 0:
            return None
        if not self.body:
            return web.Response(status=self.status)
        return web.Response(status=self.status, body=self.body, headers={"Content-Type": self.content_type})


@dataclass(slots=True)
class Journal:
    """All requests in the order of arrival, and the faults that are left."""

    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def fault_for(self, request: Request) -> Fault | None:
        """Return the first fault that applies to this request, and count its use."""
        found = next((fault for fault in self.faults if fault.matches(request)), None)
        if found:
            found.times -= 1
        return found
