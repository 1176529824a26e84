"""References to objects."""

from __future__ import annotations

from typing import NamedTuple


class Ref(NamedTuple):
    """Namespace and name of an object. The kind follows from the context."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Ref | None:
        """Parse ``namespace/name``; return None if the text has another form."""
        namespace, slash, name = text.partition("/")
        return cls(namespace, name) if slash and namespace and name and "/" not in name else None


class ObjectReference(NamedTuple):
    """One object, with its kind and uid (``core/v1.ObjectReference``)."""

    api_version: str
    kind: str
    ref: Ref
    uid: str
