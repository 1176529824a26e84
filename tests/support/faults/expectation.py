"""What a scenario expects at its end, in the words of a user: which pairs are delivered, and which are only offered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Ref(NamedTuple):
    """Namespace and name of an object."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Brought:
    """A Secret that a user brings, and what is in it."""

    secret: str
    username: str
    password: str


@dataclass(frozen=True, slots=True)
class Delivered:
    """A pair that is to be delivered."""

    space: Ref
    syndesis: Ref
    """The Syndesis; of a binding its Integration."""
    host: str
    """Host of the messaging endpoint."""
    certificate: str = ""
    """The CA certificate that the connection trusts; empty for a connection without TLS."""
    user: str = "native"
    connection: str = "native"
    """Delivery of the connection; empty for a binding, which has none."""
    integration: str = ""
    """Name of the Integration; empty for the one that the operator offers."""
    brought: Brought | None = None
    renewals: int = 0
    """How often the scenario asks for another credential."""
    connection_id: str = ""
    """Id of the connection in Syndesis, if it is to stay."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A pair that is to be offered, and nothing more."""

    space: Ref
    syndesis: Ref
    enabled: bool = False


@dataclass(frozen=True, slots=True)
class Expectation:
    """All that is to exist; what else the operator has made is too much."""

    delivered: tuple[Delivered, ...] = ()
    offered: tuple[Offered, ...] = ()
