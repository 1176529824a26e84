"""The pair: the unit of work, and the key of the work queue."""

from __future__ import annotations

from typing import NamedTuple

from integration_operator.runtime.ref import Ref


class Pair(NamedTuple):
    """An AddressSpace and a Syndesis that may use it."""

    space: Ref
    syndesis: Ref

    def __str__(self) -> str:
        return f"{self.space} → {self.syndesis}"

    @property
    def crosses_namespaces(self) -> bool:
        """True if the giver of the messages and their receiver are two tenants."""
        return self.space.namespace != self.syndesis.namespace
