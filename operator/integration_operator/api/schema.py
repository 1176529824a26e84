"""From pydantic models to structural schemas, and the CustomResourceDefinitions made of them.

apiextensions/v1 wants every node typed, no references and no ``null`` in unions
(https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema).
"""

from __future__ import annotations

from typing import Any

import yaml
from pydantic import BaseModel

Schema = dict[str, Any]

_DROPPED = ("title", "default", "additionalProperties")


def structural(model: type[BaseModel]) -> Schema:
    """The structural schema of a model."""
    schema = model.model_json_schema(by_alias=True)
    return _structural(schema, schema.get("$defs", {}))


def _structural(node: Schema, definitions: Schema) -> Schema:
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return _structural({**target, **beside}, definitions)
    options = node.get("anyOf")
    if options:  # ``X | None`` of a field that may be left out, or that may be null where it says so
        (chosen,) = [option for option in options if option.get("type") != "null"]
        beside = {key: value for key, value in node.items() if key != "anyOf"}
        return _structural({**chosen, **beside}, definitions)
    found: Schema = {}
    for key, value in node.items():
        if key in ("$defs", *_DROPPED[:2]):
            continue
        if key == "properties":
            found[key] = {name: _structural(child, definitions) for name, child in value.items()}
        elif key == "items":
            found[key] = _structural(value, definitions)
        elif key == "additionalProperties":
            if isinstance(value, dict):
                found[key] = _structural(value, definitions)
        elif key == "const":
            found["enum"] = [value]
        else:
            found[key] = value
    return found


def to_yaml(document: Schema) -> str:
    """One document as YAML, the same text for the same document."""
    text: str = yaml.safe_dump(document, sort_keys=False, width=110, allow_unicode=True)
    return text
