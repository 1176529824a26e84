"""AddressSpaces in ConfigMaps, as EnMasse stored them up to 0.30, converted to documents of later releases.

Name and namespace come from ``config.json``, because the ConfigMap is in EnMasse's own namespace. The uid and
resourceVersion come from the ConfigMap, because those in the JSON may be missing or stale
(ConfigMapAddressSpaceApi.java:136 @0.24.0).
"""

from __future__ import annotations

import re
from typing import Any

from integration_operator.runtime.json_text import parse

Document = dict[str, Any]

DATA_KEY = "config.json"

MAX_CONFIG_LENGTH = 256 * 1024
"""Characters of the JSON. EnMasse writes 2 to 6 KiB, with applied plans and configurations up to 30."""

MAX_VALUES = 10_000
"""Members and items in the JSON; EnMasse writes some hundred."""

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?")
"""A name of an AddressSpace or namespace; EnMasse has always refused others (AddressSpaceNameValidator.java)."""

API_VERSION = re.compile(r"enmasse\.io/v[a-z0-9]{1,20}")


def address_space_document(config_map: Document) -> Document | None:
    """Return the AddressSpace in a ConfigMap; None if its name is unknown.

    If the JSON is unreadable, the name comes from the name of the ConfigMap, and a status message reports it
    (``getConfigMapName``, ConfigMapAddressSpaceApi.java @0.24.0).
    """
    metadata = config_map["metadata"]
    try:
        config = _config(config_map)
        config_metadata = config["metadata"]
        name = _name(config_metadata["name"])
        namespace = _name(config_metadata.get("namespace") or _namespace_of(metadata))
    except (ValueError, KeyError, TypeError, AttributeError):
        namespace, dot, name = metadata["name"].partition(".")
        if not dot:
            return None
        unreadable = f"{DATA_KEY} of ConfigMap {metadata.get('namespace', '')}/{metadata['name']} cannot be read"
        config, config_metadata = {"status": {"messages": [unreadable]}}, {}
    annotations = config_metadata.get("annotations")
    return {
        "apiVersion": _api_version(config.get("apiVersion")),
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
        "spec": config.get("spec"),
        "status": config.get("status"),
    }


def _config(config_map: Document) -> Document:
    text = config_map["data"][DATA_KEY]
    if len(text) > MAX_CONFIG_LENGTH:
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
    """Return the namespace of the tenant, which is in a label since 0.22."""
    return str((metadata.get("labels") or {})["namespace"])
