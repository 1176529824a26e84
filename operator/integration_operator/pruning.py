"""Pruning of objects that tenants can write, to bound memory.

A tenant may store hundreds of Secrets, MessagingUsers, Connections and Integrations of a megabyte each. Fields that our
field manager applied are all kept, because a repair compares them; of a long value in a Secret, such as certificates, a
digest suffices for that. A bounded part of the other fields is kept. Values of an unexpected type are dropped, so that
decisions need no checks: EnMasse's schemas are not structural, and any user can label a Secret.
"""

from __future__ import annotations

from typing import Any

from integration_operator.api import names
from integration_operator.domain.model.credential import MAX_VALUE
from integration_operator.runtime.live_object import Digest
from integration_operator.runtime.text import MAX_FOREIGN_TEXT, sanitized

Document = dict[str, Any]

MAX_ENCODED_VALUE = (MAX_VALUE + 2) // 3 * 4
"""Characters of base64 for ``MAX_VALUE`` bytes."""

MAX_ENTRIES = 16
"""Keys of a user's Secret, and of labels or annotations. One Secret may serve a few Integrations."""

MAX_REFERENCES = 32
"""Owner references, finalizers and items of a status list; no object needs more than a few."""

PREFIX = "integreatly.org/"


def secret(document: Document) -> Document:
    """Keep values that may be a user name or a password; of longer ones that our field manager applied, a digest."""
    owned = _owned(document, "f:data")
    data = _mapping(document.get("data"))
    applied = {key: _value_or_digest(value) for key, value in data.items() if f"f:{key}" in owned}
    first = (names.USERNAME_KEY, names.PASSWORD_KEY)
    others = sorted((key for key in data if key not in applied), key=lambda key: (key not in first, key))
    short = [key for key in others if isinstance(data[key], str) and len(data[key]) <= MAX_ENCODED_VALUE]
    kept = {**applied, **{key: data[key] for key in short[:MAX_ENTRIES]}}
    rest: Document = {key: document[key] for key in ("type", "immutable") if key in document}
    return {**_identity(document), **rest, "data": kept}


def messaging_user(document: Document) -> Document:
    """Keep the login, and the authorization if our field manager applied it."""
    spec, status = _mapping(document.get("spec")), _mapping(document.get("status"))
    if not _is_applied(document):
        authentication = _mapping(spec.get("authentication"))
        password = _short(authentication.get("password"))
        spec = {
            **({"username": username} if (username := _short(spec.get("username"))) else {}),
            "authentication": {"password": password} if password else {},
        }
    elif not isinstance(spec.get("authorization", []), list):
        spec = {key: value for key, value in spec.items() if key != "authorization"}
    kept = {key: status[key] for key in ("phase", "generation") if isinstance(status.get(key), (str, int))}
    if status.get("message"):
        kept["message"] = sanitized(status["message"])
    return {**_identity(document), "spec": spec, **({"status": kept} if kept else {})}


def connection(document: Document) -> Document:
    """Keep what our field manager applied, and the status of the reconciler."""
    spec, status = _mapping(document.get("spec")), _mapping(document.get("status"))
    if not _is_applied(document):
        identifier = _short(spec.get("connectionId"))
        spec = {"connectionId": identifier} if identifier else {}
    kept = {
        key: status[key]
        for key in ("phase", "observedGeneration", "connectionId")
        if isinstance(status.get(key), int) or _short(status.get(key))
    }
    if conditions := [_condition(c) for c in _sequence(status.get("conditions"))[:8] if isinstance(c, dict)]:
        kept["conditions"] = conditions
    return {**_identity(document), "spec": spec, **({"status": kept} if kept else {})}


def integration(document: Document) -> Document:
    """Keep the spec, whose size the schema bounds, and a bounded status."""
    kept = {**_identity(document), "spec": _mapping(document.get("spec"))}
    if isinstance(document.get("status"), dict):
        kept["status"] = _bounded(document["status"], depth=6)
    return kept


def _identity(document: Document) -> Document:
    """Keep the metadata that identifies an object and its owner; ``LiveObject`` drops the managedFields."""
    metadata = document["metadata"]
    kept: Document = {
        key: metadata[key]
        for key in (
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "generation",
            "creationTimestamp",
            "deletionTimestamp",
        )
        if metadata.get(key) is not None
    }
    if isinstance(metadata.get("managedFields"), list):
        kept["managedFields"] = metadata["managedFields"]
    for key, fields in (("labels", "f:labels"), ("annotations", "f:annotations")):
        owned = _owned(document, "f:metadata", fields)
        texts = {k: v for k, v in _mapping(metadata.get(key)).items() if isinstance(v, str)}
        applied = {k: v for k, v in texts.items() if f"f:{k}" in owned or k == names.MANAGED_BY_LABEL}
        public = {k: v for k, v in texts.items() if k.startswith(PREFIX) and len(v) <= MAX_FOREIGN_TEXT}
        if entries := {**dict(list(public.items())[:MAX_ENTRIES]), **applied}:
            kept[key] = entries
    if references := _sequence(metadata.get("ownerReferences"))[:MAX_REFERENCES]:
        kept["ownerReferences"] = references
    finalizers = sorted(_sequence(metadata.get("finalizers")), key=lambda name: name != names.REST_STATE_FINALIZER)
    if finalizers:
        kept["finalizers"] = finalizers[:MAX_REFERENCES]  # ours is first
    return {**{key: document[key] for key in ("apiVersion", "kind") if key in document}, "metadata": kept}


def _owned(document: Document, *path: str) -> Document:
    """Return the fields below a path that our field manager applied."""
    for entry in _sequence(document["metadata"].get("managedFields")):
        if _is_ours(entry):
            fields = entry.get("fieldsV1")
            for name in path:
                fields = _mapping(fields).get(name)
            return _mapping(fields)
    return {}


def _is_applied(document: Document) -> bool:
    return any(_is_ours(entry) for entry in _sequence(document["metadata"].get("managedFields")))


def _is_ours(entry: object) -> bool:
    return isinstance(entry, dict) and (
        entry.get("manager"),
        entry.get("operation"),
        entry.get("subresource") or "",
    ) == (
        names.FIELD_MANAGER,
        "Apply",
        "",
    )


def _condition(condition: Document) -> Document:
    return {key: sanitized(condition[key]) for key in ("type", "status", "reason", "message") if key in condition}


def _bounded(value: Any, *, depth: int) -> Any:
    """Truncate texts, lists and mappings that are larger than those of our status."""
    if isinstance(value, dict):
        entries = list(value.items())[: 2 * MAX_ENTRIES] if depth else []
        return {key: _bounded(inner, depth=depth - 1) for key, inner in entries}
    if isinstance(value, list):
        return [_bounded(inner, depth=depth - 1) for inner in value[:MAX_REFERENCES]] if depth else []
    return value[: 2 * MAX_FOREIGN_TEXT] if isinstance(value, str) else value


def _value_or_digest(value: object) -> object:
    return Digest.of(value) if isinstance(value, str) and len(value) > MAX_ENCODED_VALUE else value


def _short(value: object) -> str | None:
    return value if isinstance(value, str) and len(value) <= MAX_ENCODED_VALUE else None


def _mapping(value: object) -> Document:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
