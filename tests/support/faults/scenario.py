"""What a scenario is: how it begins, what changes, and what is expected before and after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from integration_operator_sandbox.platforms.enmasse import CERTIFICATE
from tests.support.faults.expectation import Delivered, Expectation, Ref
from tests.support.faults.stage import HOST, Stage


class Scenario(ABC):
    """A change that users or platforms make, in one delivery. Each run uses an object of its own."""

    name: ClassVar[str]
    plane: ClassVar[str] = "native"
    """The sort of control plane: ``native``, or ``old`` for one without EnMasse's kinds."""
    rest: ClassVar[bool] = False
    """True if connections are created over REST."""
    keycloak: ClassVar[bool] = False
    """True if users are in a Keycloak."""
    polls: ClassVar[frozenset[str]] = frozenset()
    """Requests that are repeated by design."""
    replicas: ClassVar[int] = 1
    """How many processes of the operator run at a time."""
    is_continuous = False
    """True while ``interrupted`` is to be checked."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @property
    def settings(self) -> dict[str, Any]:
        """Settings of the operator, beside the addresses of the servers."""
        return {}

    @asynccontextmanager
    async def surroundings(self) -> AsyncIterator[None]:
        """Run what the scenario needs beside the operator."""
        yield

    @abstractmethod
    async def prepare(self) -> Expectation:
        """Bring about what is there before the change; return what is expected then."""

    @abstractmethod
    async def act(self) -> Expectation:
        """Make the change, during which faults are injected; return what is expected at last."""

    def interrupted(self) -> str | None:
        """Say what must not be even for a moment, if it is so now; this may ask no server."""
        return None

    async def clean(self) -> None:  # noqa: B027  most have nothing there
        """Remove what is outside the run's namespaces."""

    async def syndesis_in(self, namespace: str) -> Ref:
        """Create a Syndesis that gets its connections as the scenario delivers them."""
        return await self.stage.syndesis(namespace, native=not self.rest)

    def as_delivered(self, space: Ref, syndesis: Ref, **changes: Any) -> Delivered:
        """Return the expectation that a pair is delivered, with changes."""
        values = {"host": HOST, "certificate": CERTIFICATE, "connection": "rest" if self.rest else "native"}
        return Delivered(**{"space": space, "syndesis": syndesis, **values, **changes})
