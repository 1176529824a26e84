"""AddressSpaces in ConfigMaps, as EnMasse kept them up to 0.30, turned into the documents that later releases serve.

The name and namespace are those in ``config.json``: the ConfigMap itself stands in EnMasse's own namespace. What the
JSON says of uid and version may be missing or stale, so those are the ConfigMap's
(ConfigMapAddressSpaceApi.java:136 @0.24.0).
"""

from __future__ import annotations

import re
from typing import Any

from integration_operator.runtime.json_text import parse

Document = dict[str, Any]

DATA_KEY = "config.json"

MAX_CONFIG_BYTES = 256 * 1024
"""Characters of the JSON. One of EnMasse's has 2 to 6 KiB, with applied plans and configurations up to 30."""

MAX_VALUES = 10_000
"""Members and items in the JSON; one of EnMasse's has some hundred."""

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?")
"""Of an AddressSpace or a namespace; EnMasse refused any other from the beginning (AddressSpaceNameValidator.java)."""

API_VERSION = re.compile(r"enmasse\.io/v[a-z0-9]{1,20}")


def address_space_document(config_map: Document) -> Document | None:
    """Return the AddressSpace in a ConfigMap; None if nothing says which one it is.

    One whose JSON cannot be read is there all the same, and says so: the ConfigMap is named after it
    (``getConfigMapName``, ConfigMapAddressSpaceApi.java @0.24.0).
    """
    metadata = config_map["metadata"]
    try:
        found = _config(config_map)
        inside = found["metadata"]
        name, namespace = _name(inside["name"]), _name(inside.get("namespace") or _namespace_of(metadata))
    except (ValueError, KeyError, TypeError, AttributeError):
        namespace, dot, name = metadata["name"].partition(".")
        if not dot:
            return None
        unreadable = f"{DATA_KEY} of ConfigMap {metadata.get('namespace', '')}/{metadata['name']} cannot be read"
        found, inside = {"status": {"messages": [unreadable]}}, {}
    annotations = inside.get("annotations")
    return {
        "apiVersion": _api_version(found.get("apiVersion")),
        "kind": "AddressSpace",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "uid": metadata.get("uid", ""),
            "resourceVersion": metadata.get("resourceVersion", ""),
            "annotations": {
                **(metadata.get("annotations") or {}),
                **(annotations if isinstance(annotations, dict) else {}),
            },
            **{key: metadata[key] for key in ("deletionTimestamp",) if key in metadata},
        },
        "spec": found.get("spec"),
        "status": found.get("status"),
    }


def _config(config_map: Document) -> Document:
    text = config_map["data"][DATA_KEY]
    if len(text) > MAX_CONFIG_BYTES:
        raise ValueError("too long")
    config: Document = parse(text, max_values=MAX_VALUES)
    return config


def _name(value: object) -> str:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise ValueError("not a name")
    return value


def _api_version(value: object) -> str:
    return value if isinstance(value, str) and API_VERSION.fullmatch(value) else "enmasse.io/v1alpha1"


def _namespace_of(metadata: Document) -> str:
    """Return the tenant's namespace, which a label names since 0.22."""
    return str((metadata.get("labels") or {})["namespace"])
