"""The parameters of the status page: which Integrations it shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import get_args
from urllib.parse import urlencode

from integration_operator.api.model import DNS_LABEL
from integration_operator.domain.model.conditions import OTHER_REASON, State
from integration_operator.domain.model.reasons import EFFECTS

STATES = get_args(State)
REASONS = frozenset({*EFFECTS, OTHER_REASON})

MAX_NAMESPACE = 63
PAGE_NUMBER = re.compile(r"[1-9][0-9]{0,5}")


class InvalidQuery(Exception):
    """A parameter is unknown, repeated or has a value that it cannot have; the message names the parameter alone."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which Integrations are shown; an empty text means any. ``page`` counts from 1."""

    namespace: str = ""
    state: str = ""
    reason: str = ""
    page: int = 1

    @classmethod
    def parse(cls, parameters: Iterable[tuple[str, str]]) -> Query:
        """Return the query of a URL. Raises ``InvalidQuery``."""
        values: dict[str, str] = {}
        for name, value in parameters:
            if name not in PARAMETERS:
                raise InvalidQuery("unknown parameter; there are " + ", ".join(PARAMETERS))
            if name in values:
                raise InvalidQuery(f"{name}: given twice")
            if value and not PARAMETERS[name](value):
                raise InvalidQuery(f"{name}: no such value")
            values[name] = value
        page = int(values.pop("page", "") or 1)
        return cls(**values, page=page)

    def of_page(self, page: int) -> Query:
        """Return the same query for another page."""
        return replace(self, page=page)

    def __str__(self) -> str:
        parameters = {"namespace": self.namespace, "state": self.state, "reason": self.reason, "page": str(self.page)}
        return urlencode({name: value for name, value in parameters.items() if value})


def _is_namespace(value: str) -> bool:
    return len(value) <= MAX_NAMESPACE and re.fullmatch(DNS_LABEL, value) is not None


PARAMETERS: dict[str, Callable[[str], bool]] = {
    "namespace": _is_namespace,
    "state": lambda value: value in STATES,
    "reason": lambda value: value in REASONS,
    "page": lambda value: PAGE_NUMBER.fullmatch(value) is not None,
}
"""What checks the value of each parameter."""
