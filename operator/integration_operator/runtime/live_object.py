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

from integration_operator.runtime.ref import Ref

Document = dict[str, Any]

_NOT_CONTENT = ("managedFields", "resourceVersion", "selfLink")


@dataclass(frozen=True, slots=True)
class LiveObject:
    """A document without its bookkeeping, with what our field manager owns of it (JSON of ``fieldsV1``, else None)."""

    document: Document
    owned: str | None
    owned_owners: frozenset[str] = frozenset()
    """The uids of the owner references that are ours; kept apart, because they differ from object to object."""
    rivals: tuple[str, ...] = ()
    """Other field managers, for the message if another controller changes our fields again and again."""
    spec_has_other_managers: bool = False
    """True if another field manager wrote something in the spec."""

    @classmethod
    def of(cls, document: Document, manager: str) -> LiveObject:
        """Parse a document of the API, with the fields that ``manager`` owns. The document is consumed."""
        metadata = document["metadata"]
        owned, owners, rivals, others_in_spec = None, frozenset[str](), [], False
        for entry in metadata.get("managedFields") or ():
            if entry.get("manager") != manager:
                rivals.append(sys.intern(str(entry.get("manager"))))
                others_in_spec |= not entry.get("subresource") and "f:spec" in (entry.get("fieldsV1") or {})
            elif entry.get("operation") == "Apply" and not entry.get("subresource"):
                owned, owners = _compact(entry.get("fieldsV1") or {})
        for key in _NOT_CONTENT:
            metadata.pop(key, None)
        return cls(_shared(document), owned, owners, tuple(rivals), others_in_spec)

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
    def applied(self) -> bool:
        """True if the field manager has applied fields of it."""
        return self.owned is not None

    def owns(self, *path: str) -> bool:
        """Whether the value at a path of fields is the one that our field manager applied last."""
        below: Owned | None = owned_fields(self.owned)
        for name in path:
            below = below.field(name) if below is not None else None
        return below is not None


def differences(live: LiveObject, wanted: Document) -> list[str]:
    """The fields in which an object is not what we want, as dotted paths; empty where there is nothing to apply.

    A field is different where its value is, and where we own it without wanting it any more. Fields of others do not
    count.
    """
    found = _missing(wanted, live.document, "")
    owners = {owner["uid"] for owner in wanted["metadata"].get("ownerReferences") or ()}
    found += ["metadata.ownerReferences (no longer wanted)"] if live.owned_owners - owners else []
    found += [f"{path} (no longer wanted)" for path in _surplus(owned_fields(live.owned), wanted, "")]
    return found


def _shared(node: Any) -> Any:
    """The same document made of shared texts: the objects of a kind repeat each other's names and most of their
    values.
    """
    if isinstance(node, dict):
        return {sys.intern(key): _shared(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_shared(item) for item in node]
    return sys.intern(node) if type(node) is str else node


def _compact(field_set: Document) -> tuple[str, frozenset[str]]:
    """The field set as one string for all objects of a kind, which differ in values only, and the uids of owners in
    it.
    """
    owners = field_set.get("f:metadata", {}).pop("f:ownerReferences", {})
    uids = frozenset(json.loads(key[2:])["uid"] for key in owners if key.startswith("k:"))
    return sys.intern(json.dumps(field_set, sort_keys=True, separators=(",", ":"))), uids


@dataclass(frozen=True, slots=True)
class Owned:
    """A set of fields taken apart: fields by name, items of a list by their keys or by their value, each with what
    is below.
    """

    fields: tuple[tuple[str, Owned], ...]
    items: tuple[tuple[Document, Owned], ...]
    values: tuple[Any, ...]

    def field(self, name: str) -> Owned | None:
        """What is owned below a field; None where the field itself is not."""
        return next((below for known, below in self.fields if known == name), None)


@lru_cache(maxsize=256)
def owned_fields(field_set: str | None) -> Owned:
    """Take ``fieldsV1`` apart (structured-merge-diff's ``fieldpath.SerializePathElement``)."""
    return _taken_apart(json.loads(field_set) if field_set else {})


def _taken_apart(field_set: Document) -> Owned:
    fields, items, values = [], [], []
    for key, below in field_set.items():
        kind, _, text = key.partition(":")
        if kind == "f":
            fields.append((text, _taken_apart(below)))
        elif kind == "k":
            items.append((json.loads(text), _taken_apart(below)))
        elif kind == "v":
            values.append(json.loads(text))
    return Owned(tuple(fields), tuple(items), tuple(values))


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


def _surplus(owned: Owned, wanted: Any, at: str) -> list[str]:
    found: list[str] = []
    for name, below in owned.fields:
        path = f"{at}.{name}" if at else name
        if not isinstance(wanted, dict) or name not in wanted:
            found.append(path)
        elif below.fields or below.items or below.values:
            found += _surplus(below, wanted[name], path)
    for identity, below in owned.items:
        item = next((i for i in wanted or () if all(i.get(k) == v for k, v in identity.items())), None)
        found += [f"{at}{identity}"] if item is None else _surplus(below, item, at)
    found += [f"{at}: {value}" for value in owned.values if value not in (wanted or ())]
    return found
