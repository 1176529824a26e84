"""The three ways in which the demo's connection reaches Syndesis, and what is different about each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from integration_operator_sandbox.syndesis_server import SyndesisServer

Name = Literal["native", "rest", "connection-controller"]
Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Way:
    """One of them. ``resource``: there is a Connection. ``server``: Syndesis's server is played as well.
    ``controller``: the connection controller runs between the two.
    """

    resource: bool
    server: bool
    controller: bool
    told: str


WAYS: dict[Name, Way] = {
    "native": Way(True, False, False, "a simulated Syndesis reconciles Connection resources itself"),
    "rest": Way(False, True, False, "the connection is made over REST on a simulated Syndesis server"),
    "connection-controller": Way(True, True, True, "the connection controller takes Connections to a simulated server"),
}


def stored(server: SyndesisServer | None) -> Document | None:
    """The one connection that Syndesis's server has."""
    return next(iter(server.stored().values()), None) if server is not None else None
