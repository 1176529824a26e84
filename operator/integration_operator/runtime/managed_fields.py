"""Server-side apply without a server: the object and its ``managedFields`` after an apply.

Fields are in the format of structured-merge-diff (``fieldpath.SerializePathElement``).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from integration_operator.runtime.live_object import LiveObject, Owned

Document = dict[str, Any]


def merged(live: Document, applied: Document) -> Document:
    """Return an object after an apply: mappings are merged, other values are replaced."""
    result = {**live}
    for key, value in applied.items():
        result[key] = merged(live.get(key) or {}, value) if isinstance(value, dict) else value
    return result


def without_former_fields(live: Document, owned: Owned, applied: Document) -> Document:
    """Return an object without the fields that its manager owned and does not apply any more."""
    result = {}
    for key, value in live.items():
        below, desired = owned.field(key), applied.get(key)
        if below is None:
            result[key] = value
        elif isinstance(value, dict) and (below.fields or isinstance(desired, dict)):
            rest = without_former_fields(value, below, desired if isinstance(desired, dict) else {})
            if rest or key in applied:
                result[key] = rest
        elif key in applied:
            result[key] = value
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
