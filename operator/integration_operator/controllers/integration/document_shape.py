"""The shape of a document that no API server has validated.

A document that passes has a name and a namespace as Kubernetes allows them, and text and mappings in the fields that
have them; the rest of the code relies on that.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from integration_operator.api.integration import IntegrationStatus
from integration_operator.api.model import DNS_LABEL, DNS_SUBDOMAIN
from integration_operator.runtime.text import sanitized

Document = dict[str, Any]
Check = Callable[[Any, str], None]


class WrongShape(ValueError):
    """A document is not a Kubernetes object; the message says which part is wrong, and how it should be."""


def checked(document: Document) -> Document:
    """Return a document of a kind that the operator reads, its shape as an API server would have it.

    Raises ``WrongShape``.
    """
    metadata = document.get("metadata")
    _mapping(metadata, "metadata")
    assert isinstance(metadata, dict)
    _matches(metadata.get("name"), "metadata.name", DNS_SUBDOMAIN, 253)
    present = {key: value for key, value in metadata.items() if value is not None}
    if present.get("namespace") == "":  # as in kubectl: the namespace of the context
        del present["namespace"]
    for key, value in present.items():
        METADATA.get(key, _anything)(value, f"metadata.{key}")
    checked = {**document, "metadata": present}
    for key in ("spec", "status", "data", "stringData"):
        if checked.get(key) is None:
            checked.pop(key, None)
        else:
            (_texts if key in ("data", "stringData") else _mapping)(checked[key], key)
    _of_kind(checked)
    return _with_string_data(checked)


def _of_kind(document: Document) -> None:
    """Check fields of single kinds."""
    kind = document["kind"]
    if kind == "MessagingUser":
        _mapping(document.get("spec"), "spec")
    if kind == "Integration":
        try:
            IntegrationStatus.model_validate(document.get("status") or {})
        except ValidationError as error:
            first = error.errors()[0]
            path = ".".join(("status", *map(str, first["loc"])))
            raise WrongShape(f"{sanitized(path)}: {sanitized(first['msg'])}") from None
    elif (conditions := (document.get("status") or {}).get("conditions")) is not None:
        _mappings(conditions, "status.conditions")


def _with_string_data(document: Document) -> Document:
    """Return a Secret as it is stored: the API server takes ``stringData`` into ``data``."""
    if document["kind"] != "Secret" or "stringData" not in document:
        return document
    stored = {key: base64.b64encode(text.encode()).decode() for key, text in document["stringData"].items()}
    rest = {key: value for key, value in document.items() if key != "stringData"}
    return {**rest, "data": {**document.get("data", {}), **stored}}


def _wrong(value: object, path: str, expected: str) -> WrongShape:
    shown = sanitized(json.dumps(value, default=str, ensure_ascii=False), 60)
    hint = "; quote it" if expected == "text" and isinstance(value, (int, float)) else ""
    return WrongShape(f"{sanitized(path, 200)} is {shown}, not {expected}{hint}")


def _anything(value: object, path: str) -> None:
    """Accept a part that nothing reads."""


def _text(value: object, path: str) -> None:
    if not isinstance(value, str):
        raise _wrong(value, path, "text")


def _number(value: object, path: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(value, path, "a whole number")


def _mapping(value: object, path: str) -> None:
    if not isinstance(value, dict):
        raise _wrong(value, path, "a mapping")
    for key in value:
        if not isinstance(key, str):
            raise _wrong(key, f"a key of {path}", "text")


def _texts(value: object, path: str) -> None:
    _mapping(value, path)
    assert isinstance(value, dict)
    for key, text in value.items():
        _text(text, f"{path}.{key}")


def _list(value: object, path: str, check: Check) -> None:
    if not isinstance(value, list):
        raise _wrong(value, path, "a list")
    for number, item in enumerate(value):
        check(item, f"{path}[{number}]")


def _mappings(value: object, path: str) -> None:
    _list(value, path, _mapping)


def _list_of_texts(value: object, path: str) -> None:
    _list(value, path, _text)


def _owners(value: object, path: str) -> None:
    _list(value, path, _texts_or_flags)


def _texts_or_flags(value: object, path: str) -> None:
    _mapping(value, path)
    assert isinstance(value, dict)
    for key, item in value.items():
        if not isinstance(item, bool):
            _text(item, f"{path}.{key}")


def _matches(value: object, path: str, pattern: str, longest: int) -> None:
    _text(value, path)
    assert isinstance(value, str)
    if len(value) > longest or not re.fullmatch(pattern, value):
        raise _wrong(value, path, "a name: lower-case letters, digits, '-' and '.'")


def _namespace(value: object, path: str) -> None:
    _matches(value, path, DNS_LABEL, 63)


def _managed_fields(value: object, path: str) -> None:
    _mappings(value, path)
    assert isinstance(value, list)
    for entry in value:
        if entry.get("fieldsV1") is not None:
            _fields(entry["fieldsV1"], f"{path}.fieldsV1")


def _fields(value: object, path: str) -> None:
    """Check a set of fields (structured-merge-diff's ``fieldpath.SerializePathElement``)."""
    _mapping(value, path)
    assert isinstance(value, dict)
    for key, below in value.items():
        if key.startswith(("k:", "v:")):
            try:
                identity = json.loads(key[2:])
            except ValueError:
                raise _wrong(key, path, "a set of fields") from None
            if key.startswith("k:"):
                _mapping(identity, path)
        _fields(below, path)
    for owner in value.get("f:ownerReferences") or ():
        if owner.startswith("k:"):
            _text(json.loads(owner[2:]).get("uid"), path)


METADATA: dict[str, Check] = {
    "namespace": _namespace,
    "uid": _text,
    "resourceVersion": _text,
    "generation": _number,
    "creationTimestamp": _text,
    "deletionTimestamp": _text,
    "labels": _texts,
    "annotations": _texts,
    "finalizers": _list_of_texts,
    "ownerReferences": _owners,
    "managedFields": _managed_fields,
}
