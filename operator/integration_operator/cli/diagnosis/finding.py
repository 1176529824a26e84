"""A finding of ``doctor``: what was looked at, what came of it, and the command that mends it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

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


@dataclass(frozen=True, slots=True)
class Visit:
    """What the checks work with. ``service_account`` is ``namespace/name`` of the operator's, if it is checked."""

    client: Client
    settings: Settings
    service_account: str | None = None


CheckUp = Callable[[Visit], Awaitable[list[Finding]]]
"""One check. It raises ``ApiError`` if the cluster refuses what it needs; that is a finding, too."""
