"""AddressSpaces in ConfigMaps, as EnMasse kept them up to 0.30, turned into the documents that later releases serve.

The name and namespace are those in ``config.json``: the ConfigMap itself stands in EnMasse's own namespace. What the
JSON says of uid and version may be missing or stale, so those are the ConfigMap's
(ConfigMapAddressSpaceApi.java:136 @0.24.0).
"""

from __future__ import annotations

import json
from typing import Any

Document = dict[str, Any]

DATA_KEY = "config.json"


def address_space_document(config_map: Document) -> Document | None:
    """The AddressSpace in a ConfigMap; None where nothing says which one it is.

    One whose JSON cannot be read is there all the same, and says so: the ConfigMap is named after it
    (``getConfigMapName``, ConfigMapAddressSpaceApi.java @0.24.0).
    """
    metadata = config_map["metadata"]
    try:
        found = json.loads((config_map.get("data") or {})[DATA_KEY])
        inside = found["metadata"]
        name, namespace = str(inside["name"]), str(inside.get("namespace") or _namespace_of(metadata))
    except (ValueError, KeyError, TypeError, AttributeError):
        namespace, dot, name = metadata["name"].partition(".")
        if not dot:
            return None
        unreadable = f"{DATA_KEY} of ConfigMap {metadata.get('namespace', '')}/{metadata['name']} cannot be read"
        found, inside = {"status": {"messages": [unreadable]}}, {}
    annotations = inside.get("annotations")
    return {
        "apiVersion": str(found.get("apiVersion") or "enmasse.io/v1alpha1"),
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


def _namespace_of(metadata: Document) -> str:
    """The tenant's namespace, which a label names since 0.22."""
    return str((metadata.get("labels") or {})["namespace"])
