"""An object as the API server has it, and whether it still is what we applied.

Of ``managedFields`` only our own entry is kept: it says exactly which fields are ours, so a field that we no longer
want is found as surely as one that somebody changed, and a value that somebody else wrote last is told from our own.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from integration_operator.api import names
from integration_operator.domain.pair import Ref

Document = dict[str, Any]
FieldSet = dict[str, Any]
"""``fieldsV1`` of managedFields: ``f:name`` for a field, ``k:{…}`` for an item by key, ``v:…`` for an item by value."""

_NOT_CONTENT = ("managedFields", "resourceVersion", "selfLink")


@dataclass(frozen=True, slots=True)
class Live:
    """A document without its bookkeeping, with what our field manager owns of it (JSON of ``fieldsV1``, else None)."""

    document: Document
    owned: str | None
    rivals: tuple[str, ...] = ()
    """Other field managers, for the message when somebody changes our fields again and again."""

    @classmethod
    def of(cls, document: Document) -> Live:
        """Take a document of the API apart; the document is used up."""
        metadata = document["metadata"]
        owned = None
        rivals = []
        for entry in metadata.get("managedFields") or ():
            if entry.get("manager") != names.FIELD_MANAGER:
                rivals.append(sys.intern(str(entry.get("manager"))))
            elif entry.get("operation") == "Apply" and not entry.get("subresource"):
                # One string for all objects of a kind: they differ in values, not in which fields are ours.
                owned = sys.intern(json.dumps(entry.get("fieldsV1") or {}, sort_keys=True, separators=(",", ":")))
        for key in _NOT_CONTENT:
            metadata.pop(key, None)
        return cls(document, owned, tuple(rivals))

    @property
    def ref(self) -> Ref:
        """Its namespace and name."""
        metadata = self.document["metadata"]
        return Ref(metadata.get("namespace", ""), metadata["name"])

    @property
    def uid(self) -> str:
        """Its identity, which a new object of the same name does not have."""
        return str(self.document["metadata"].get("uid", ""))

    @property
    def deleting(self) -> bool:
        """Whether its deletion has begun."""
        return "deletionTimestamp" in self.document["metadata"]

    @property
    def labels(self) -> dict[str, str]:
        """Its labels."""
        return self.document["metadata"].get("labels") or {}

    @property
    def annotations(self) -> dict[str, str]:
        """Its annotations."""
        return self.document["metadata"].get("annotations") or {}

    @property
    def owners(self) -> list[Document]:
        """Its owner references."""
        return self.document["metadata"].get("ownerReferences") or []

    @property
    def retained(self) -> bool:
        """Whether it was made to outlive its Integration (``deletionPolicy: Retain``)."""
        return self.annotations.get(names.DELETION_POLICY) == "Retain"

    @property
    def ours(self) -> bool:
        """Whether we made it: it carries our label, or fields that our field manager applied."""
        return self.labels.get(names.MANAGED_BY_LABEL) == names.FIELD_MANAGER or self.owned is not None

    def owns(self, *path: str) -> bool:
        """Whether the value at a path of fields is the one that our field manager applied last."""
        fields = _fields(self.owned)
        for name in path:
            if f"f:{name}" not in fields:
                return False
            fields = fields[f"f:{name}"]
        return True


def differences(live: Live, wanted: Document) -> list[str]:
    """The fields in which an object is not what we want, as dotted paths; empty where there is nothing to apply.

    A field is different where its value is, and where we own it without wanting it any more. Fields of others do not
    count.
    """
    found = _missing(wanted, live.document, "")
    found += [f"{path} (no longer wanted)" for path in _surplus(_fields(live.owned), wanted, "")]
    return found


@lru_cache(maxsize=256)
def _fields(owned: str | None) -> FieldSet:
    return json.loads(owned) if owned else {}


def _missing(wanted: Document, live: Document, at: str) -> list[str]:
    found: list[str] = []
    for name, value in wanted.items():
        path = f"{at}.{name}" if at else name
        if path in ("metadata.uid", "apiVersion"):  # a precondition; and the server may serve it in a newer version
            continue
        there = live.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            found += _missing(value, there, path)
        elif path == "metadata.ownerReferences":
            found += [path] if any(owner not in (there or ()) for owner in value) else []
        elif value != there:
            found.append(path)
    return found


def _surplus(owned: FieldSet, wanted: Any, at: str) -> list[str]:
    found: list[str] = []
    for key, below in owned.items():
        if key == ".":
            continue
        kind, _, text = key.partition(":")
        path = f"{at}.{text}" if at else text
        if kind == "f":
            if not isinstance(wanted, dict) or text not in wanted:
                found.append(path)
            elif below:
                found += _surplus(below, wanted[text], path)
        elif kind == "k":
            identity = json.loads(text)
            item = next((i for i in wanted or () if all(i.get(k) == v for k, v in identity.items())), None)
            found += [path] if item is None else _surplus(below, item, path)
        elif kind == "v" and json.loads(text) not in (wanted or ()):
            found.append(path)
    return found
