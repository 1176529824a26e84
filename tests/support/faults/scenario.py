"""What a scenario is: how it begins, what changes, and what is expected before and after."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

from tests.support.faults.expectation import Expectation
from tests.support.faults.stage import Stage


class Scenario(ABC):
    """A change that users or platforms make, in one delivery. Each run uses an object of its own."""

    name: ClassVar[str]
    plane: ClassVar[str] = "native"
    """The sort of control plane: ``native``, or ``old`` for one without EnMasse's kinds."""
    rest: ClassVar[bool] = False
    """True if connections are created over REST."""
    keycloak: ClassVar[bool] = False
    """True if the scenario needs a Keycloak."""
    polls: ClassVar[frozenset[str]] = frozenset()
    """Requests that are repeated by design."""

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

    async def clean(self) -> None:  # noqa: B027  most have nothing there
        """Remove what is outside the run's namespaces."""
