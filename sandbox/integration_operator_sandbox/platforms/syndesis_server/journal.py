"""What the server was asked, and the answers that a test wants spoilt."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass(slots=True)
class Request:
    """One request as it came, and what it was answered."""

    method: str
    path: str
    """With the query."""
    headers: dict[str, str]
    body: Any
    """The JSON that was sent; None where there was none."""
    status: int = 0
    """What the client was answered; 0 where the connection was closed instead."""


@dataclass(slots=True)
class Fault:
    """An answer that takes the place of the server's own, some times."""

    times: int
    status: int
    body: bytes
    content_type: str
    method: str | None
    path_prefix: str | None
    after: bool

    def matches(self, request: Request) -> bool:
        """Whether it is for this request, and not used up."""
        return (
            self.times > 0
            and self.method in (None, request.method)
            and (self.path_prefix is None or request.path.startswith(self.path_prefix))
        )

    def answer(self) -> web.Response | None:
        """What the client gets; None is no answer at all."""
        if self.status == 0:
            return None
        if not self.body:
            return web.Response(status=self.status)
        return web.Response(status=self.status, body=self.body, headers={"Content-Type": self.content_type})


@dataclass(slots=True)
class Journal:
    """Every request in the order of arrival, and the faults still to come."""

    requests: list[Request] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def fault_for(self, request: Request) -> Fault | None:
        """The first fault that is for this request; it is used up once more."""
        found = next((fault for fault in self.faults if fault.matches(request)), None)
        if found:
            found.times -= 1
        return found
