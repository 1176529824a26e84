"""An object as the API server has it, and its differences from the desired document.

Of ``managedFields`` only the entry of our field manager is kept. It lists the fields that we own, so it shows fields
that are no longer desired and values that another manager wrote last.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from integration_operator.runtime.ref import Ref

Document = dict[str, Any]

_NOT_CONTENT = ("managedFields", "resourceVersion", "selfLink")


class Digest(str):
    """The SHA-256 of a text that is too long to keep; it stands in its place in the document of a live object."""

    __slots__ = ()

    @classmethod
    def of(cls, text: str) -> Digest:
        """Return the digest of a text."""
        return cls(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")

    def stands_for(self, value: object) -> bool:
        """Check if a value is the text of this digest, or the digest itself."""
        return isinstance(value, str) and self in (value, Digest.of(value))


@dataclass(frozen=True, slots=True)
class LiveObject:
    """A document without its bookkeeping. ``owned`` is the ``fieldsV1`` of our field manager as JSON, else None."""

    document: Document
    owned: str | None
    owned_owners: frozenset[str] = frozenset()
    """The uids of our owner references; separate, because they differ between objects."""
    rivals: tuple[str, ...] = ()
    """Other field managers, for the message if another controller keeps changing our fields."""
    spec_has_other_managers: bool = False
    """True if another field manager owns a field of the spec."""

    @classmethod
    def of(cls, document: Document, manager: str) -> LiveObject:
        """Parse an API document with the fields that ``manager`` owns. The document is modified."""
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
        """Namespace and name."""
        metadata = self.document["metadata"]
        return Ref(metadata.get("namespace", ""), metadata["name"])

    @property
    def uid(self) -> str:
        """The uid."""
        return str(self.document["metadata"].get("uid", ""))

    @property
    def deleting(self) -> bool:
        """True if the object is being deleted."""
        return "deletionTimestamp" in self.document["metadata"]

    @property
    def labels(self) -> dict[str, str]:
        """The labels."""
        return self.document["metadata"].get("labels") or {}

    @property
    def annotations(self) -> dict[str, str]:
        """The annotations."""
        return self.document["metadata"].get("annotations") or {}

    @property
    def owners(self) -> list[Document]:
        """The owner references."""
        return self.document["metadata"].get("ownerReferences") or []

    @property
    def applied(self) -> bool:
        """True if the field manager has applied fields of the object."""
        return self.owned is not None

    def owns(self, *path: str) -> bool:
        """Return True if our field manager owns the field at a path."""
        below: Owned | None = owned_fields(self.owned)
        for name in path:
            below = below.field(name) if below is not None else None
        return below is not None


def differences(live: LiveObject, desired: Document) -> list[str]:
    """Return the fields that differ from the desired document, as dotted paths; empty if there is nothing to apply.

    A field differs if its value does, or if our field manager owns it and it is no longer desired. Fields of other
    managers do not count.
    """
    paths = _missing(desired, live.document, "")
    owners = {owner["uid"] for owner in desired["metadata"].get("ownerReferences") or ()}
    paths += ["metadata.ownerReferences (no longer desired)"] if live.owned_owners - owners else []
    paths += [f"{path} (no longer desired)" for path in _surplus(owned_fields(live.owned), desired, "")]
    return paths


def _shared(node: Any) -> Any:
    """Return a document with interned texts: objects of one kind share names and most values."""
    if isinstance(node, dict):
        return {sys.intern(key): _shared(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_shared(item) for item in node]
    return sys.intern(node) if type(node) is str else node


def _compact(field_set: Document) -> tuple[str, frozenset[str]]:
    """Return a field set as a string that all objects of a kind share, and the uids of its owner references."""
    owners = field_set.get("f:metadata", {}).pop("f:ownerReferences", {})
    uids = frozenset(json.loads(key[2:])["uid"] for key in owners if key.startswith("k:"))
    return sys.intern(json.dumps(field_set, sort_keys=True, separators=(",", ":"))), uids


@dataclass(frozen=True, slots=True)
class Owned:
    """A parsed field set: fields by name, list items by their keys or their value, each with its own fields."""

    fields: tuple[tuple[str, Owned], ...]
    items: tuple[tuple[Document, Owned], ...]
    values: tuple[Any, ...]

    def field(self, name: str) -> Owned | None:
        """Return what is owned below a field; None if the field is not owned."""
        return next((below for field, below in self.fields if field == name), None)


@lru_cache(maxsize=256)
def owned_fields(field_set: str | None) -> Owned:
    """Parse ``fieldsV1`` (structured-merge-diff's ``fieldpath.SerializePathElement``)."""
    return _parse_fields(json.loads(field_set) if field_set else {})


def _parse_fields(field_set: Document) -> Owned:
    fields, items, values = [], [], []
    for key, below in field_set.items():
        kind, _, text = key.partition(":")
        if kind == "f":
            fields.append((text, _parse_fields(below)))
        elif kind == "k":
            items.append((json.loads(text), _parse_fields(below)))
        elif kind == "v":
            values.append(json.loads(text))
    return Owned(tuple(fields), tuple(items), tuple(values))


def _missing(desired: Document, live: Document, parent: str) -> list[str]:
    paths: list[str] = []
    for name, value in desired.items():
        path = f"{parent}.{name}" if parent else name
        if path in ("metadata.uid", "apiVersion"):  # a precondition; and the server may serve a newer version
            continue
        current = live.get(name)
        if isinstance(value, dict) and isinstance(current, dict):
            paths += _missing(value, current, path)
        elif path == "metadata.ownerReferences":
            paths += [path] if any(owner not in (current or ()) for owner in value) else []
        elif value != current and not (isinstance(current, Digest) and current.stands_for(value)):
            paths.append(path)
    return paths


def _surplus(owned: Owned, desired: Any, parent: str) -> list[str]:
    paths: list[str] = []
    for name, below in owned.fields:
        path = f"{parent}.{name}" if parent else name
        if not isinstance(desired, dict) or name not in desired:
            paths.append(path)
        elif below.fields or below.items or below.values:
            paths += _surplus(below, desired[name], path)
    for identity, below in owned.items:
        item = next((i for i in desired or () if all(i.get(k) == v for k, v in identity.items())), None)
        paths += [f"{parent}{identity}"] if item is None else _surplus(below, item, parent)
    paths += [f"{parent}: {value}" for value in owned.values if value not in (desired or ())]
    return paths
