"""The words for *which one*: a reference to an object, and the pair that is the unit of all work."""

from __future__ import annotations

from typing import NamedTuple


class Ref(NamedTuple):
    """Namespace and name of an object; its kind is known from where the reference stands."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Ref | None:
        """Read ``namespace/name``; None where it is anything else."""
        namespace, slash, name = text.partition("/")
        return cls(namespace, name) if slash and namespace and name and "/" not in name else None


class Pair(NamedTuple):
    """An AddressSpace and a Syndesis: the key of the work queue."""

    space: Ref
    syndesis: Ref

    def __str__(self) -> str:
        return f"{self.space} → {self.syndesis}"
