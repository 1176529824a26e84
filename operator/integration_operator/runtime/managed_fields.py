"""Server-side apply without a server: the object and its ``managedFields`` after an apply.

Fields are in the format of structured-merge-diff (``fieldpath.SerializePathElement``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from integration_operator.runtime.live_object import LiveObject

Document = dict[str, Any]


def merged(live: Document, applied: Document) -> Document:
    """Return an object after an apply: mappings are merged, other values are replaced."""
    result = {**live}
    for key, value in applied.items():
        result[key] = merged(live.get(key) or {}, value) if isinstance(value, dict) else value
    return result


def managed_fields(document: Document, manager: str) -> list[Document]:
    """Return the ``managedFields`` of an object after ``manager`` applied a document."""
    content = {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}
    metadata = {key: content["metadata"][key] for key in ("labels", "annotations") if key in content["metadata"]}
    owners = [owner["uid"] for owner in content["metadata"].get("ownerReferences") or ()]
    return _entry(_field_set({**content, "metadata": metadata}), owners, manager)


def kept_managed_fields(live: LiveObject | None, manager: str) -> list[Document]:
    """Return the ``managedFields`` of an object that ``manager`` did not change."""
    if live is None or live.owned is None:
        return []
    return _entry(json.loads(live.owned), sorted(live.owned_owners), manager)


def _entry(fields: Document, owners: Sequence[str], manager: str) -> list[Document]:
    references: Document = {f"k:{json.dumps({'uid': uid})}": {} for uid in owners}
    metadata = {**fields.get("f:metadata", {}), **({"f:ownerReferences": references} if references else {})}
    field_set = {**fields, **({"f:metadata": metadata} if metadata else {})}
    return [{"manager": manager, "operation": "Apply", "fieldsV1": field_set}]


def _field_set(document: Document) -> Document:
    """Return the field set of a document; a list is one field."""
    return {f"f:{key}": _field_set(value) if isinstance(value, dict) else {} for key, value in document.items()}
