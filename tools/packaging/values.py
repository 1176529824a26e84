"""The values of the chart, from values.yaml and its comments: their table for the README, and their schema.

``# -- `` begins the description of the value below it, which may go on in the next lines. ``# @schema `` adds to the
schema what the default cannot tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from integration_operator.settings import Settings

DESCRIPTION, SCHEMA = "# -- ", "# @schema "

TYPES = {"tag:yaml.org,2002:str": "string", "tag:yaml.org,2002:int": "integer", "tag:yaml.org,2002:bool": "boolean"}

OF_THE_CHART = {
    *(
        "kubeconfig",
        "context",
        "templates",
        "leader_elect",
        "lease_namespace",
        "bind_address",
        "probe_port",
        "metrics_port",
        "metrics_authentication",
        "metrics_certificate",
    ),
    *("admission", "admission_port", "admission_host", "admission_configuration", "admission_certificate"),
}
"""Settings that the chart sets, or that its Deployment depends on."""


@dataclass(frozen=True, slots=True)
class Comment:
    """What the comments above a value say of it."""

    description: str = ""
    schema: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Value:
    """A value by its path, such as ``image.tag``, with its default."""

    path: str
    default: Any
    description: str


def schema(text: str) -> dict[str, Any]:
    """Return the JSON schema (draft 7, which all releases of Helm 3 and 4 read) of values.yaml."""
    root = yaml.compose(text)
    assert isinstance(root, yaml.MappingNode)
    definition = {"$schema": "http://json-schema.org/draft-07/schema#", **_schema_of(root, text.splitlines())}
    # Helm adds `global` to the values of every chart that is a dependency.
    definition["properties"]["global"] = {"type": "object"}
    return {**definition, "$defs": {"settings": settings_schema()}}


def settings_schema() -> dict[str, Any]:
    """Return the schema of the settings that the chart does not set itself."""
    properties = Settings.model_json_schema()["properties"]
    chosen = {name: _untitled(value) for name, value in properties.items() if name not in OF_THE_CHART}
    return {"type": "object", "additionalProperties": False, "properties": chosen}


def table(text: str) -> str:
    """Return the values as a table in Markdown, in the order of the file."""
    rows = ["| value | default | meaning |", "| --- | --- | --- |"]
    for value in _values(yaml.compose(text), text.splitlines(), ()):
        default = json.dumps(value.default) if value.default != "" else '""'
        rows.append(f"| `{value.path}` | `{default}` | {value.description} |")
    return "\n".join(rows)


def _untitled(definition: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in definition.items() if key != "title"}


def _comment(lines: list[str], line: int) -> Comment:
    """Return what stands directly above a line, counted from 0."""
    description, override = "", {}
    above = line - 1
    while above >= 0 and lines[above].strip().startswith("#"):
        above -= 1
    for text in map(str.strip, lines[above + 1 : line]):
        if text.startswith(SCHEMA):
            override = yaml.safe_load(text.removeprefix(SCHEMA))
        elif text.startswith(DESCRIPTION):
            description = text.removeprefix(DESCRIPTION)
        elif description:
            description += " " + text.removeprefix("# ")
    return Comment(description, override)


def _schema_of(node: yaml.Node, lines: list[str]) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        return {"type": "array"}
    if not isinstance(node, yaml.MappingNode):
        return {"type": TYPES[node.tag]}
    properties = {}
    for key, value in node.value:
        comment = _comment(lines, key.start_mark.line)
        described = {"description": comment.description} if comment.description else {}
        if "$ref" in comment.schema:  # draft 7 ignores what stands beside it
            properties[key.value] = {**described, "allOf": [comment.schema]}
        elif isinstance(value, yaml.MappingNode) and (comment.schema or not value.value):
            properties[key.value] = {**described, "type": "object", **comment.schema}
        else:
            properties[key.value] = {**described, **_schema_of(value, lines), **comment.schema}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _values(node: yaml.Node, lines: list[str], parents: tuple[str, ...]) -> Iterator[Value]:
    """Yield each value that has a description of its own."""
    for key, value in node.value:
        path = (*parents, key.value)
        comment = _comment(lines, key.start_mark.line)
        if comment.description:
            yield Value(".".join(path), yaml.safe_load(yaml.serialize(value)), comment.description)
        else:
            yield from _values(value, lines, path)
