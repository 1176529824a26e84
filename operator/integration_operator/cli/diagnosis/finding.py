"""A finding of ``doctor``: what was looked at, what came of it, and the command that mends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from integration_operator.cli.reading import everything
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.resources import INTEGRATION
from integration_operator.runtime.resources import discover

if TYPE_CHECKING:
    from integration_operator.runtime.client import Client
    from integration_operator.settings import Settings

Level = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``level`` problem: something does not work. warning: it may not, or could not be looked at."""

    level: Level
    check: str
    message: str
    fix: str = ""
    """A command, or what to do; empty if there is nothing to mend."""

    def document(self) -> dict[str, str]:
        """Return it as JSON."""
        return asdict(self)


@dataclass(slots=True)
class Visit:
    """What the checks work with. ``service_account`` is ``namespace/name`` of the operator's, if it is checked."""

    client: Client
    settings: Settings
    service_account: str | None = None
    _integrations: list[Integration] | None = None

    async def integrations(self) -> list[Integration]:
        """Return all Integrations, which are read once; none if the kind is not served. Raises ``ApiError``."""
        if self._integrations is None:
            served = await discover(self.client, INTEGRATION)
            documents = await everything(self.client, served, None) if served is not None else []
            self._integrations = [parse_integration(document) for document in documents]
        return self._integrations


CheckUp = Callable[[Visit], Awaitable[list[Finding]]]
"""One check. It raises ``ApiError`` if the cluster refuses what it needs; that is a finding, too."""
