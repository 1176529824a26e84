"""The three ways in which the demo's connection is delivered to Syndesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer

Name = Literal["native", "rest", "connection-controller"]
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Mode:
    """One way of delivery, and what runs for it."""

    resource: bool
    """The operator creates a Connection."""
    server: bool
    """The API of a Syndesis server is simulated."""
    controller: bool
    """The connection controller takes Connections to that server."""
    description: str


MODES: dict[Name, Mode] = {
    "native": Mode(True, False, False, "a simulated Syndesis reconciles Connection resources itself"),
    "rest": Mode(False, True, False, "the operator creates the connection over REST, on a simulated Syndesis server"),
    "connection-controller": Mode(
        True, True, True, "the connection controller takes Connections to a simulated Syndesis server"
    ),
}


def stored(server: SyndesisServer | None) -> Document | None:
    """Return the connection that the Syndesis server has, if any."""
    return next(iter(server.stored().values()), None) if server is not None else None
