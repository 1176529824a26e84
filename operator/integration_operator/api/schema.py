"""Generates CustomResourceDefinitions (apiextensions.k8s.io/v1) from the models.

A CustomResourceDefinition needs a structural schema: no references, a type on every node, only some keywords of JSON
Schema. This module converts the JSON Schema of pydantic.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from integration_operator.api import names
from integration_operator.api.connection import ConnectionObject
from integration_operator.api.integration import IntegrationObject
from integration_operator.api.model import SERVER_DEFAULT, Model

Document = dict[str, Any]

KEYWORDS = (
    *("description", "type", "format", "nullable", "enum", "pattern"),
    *("minimum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "required"),
)
"""Keywords that are copied, in the order of the output."""
DROPPED = frozenset({"title", "default"})
"""Keywords that are dropped. A title repeats the name. A default is that of Python; the server sets
``SERVER_DEFAULT``."""
NESTED = frozenset({"properties", "additionalProperties", "items"})
EXTENSION = "x-kubernetes-"

HEADER = "# Generated from the models of the operator: integration-operator crds --output <directory>\n"

API_VERSION = (
    "The API version of the object. "
    "See https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
)
KIND = (
    "The kind of the object. "
    "See https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
)


def _column(name: str, path: str, description: str, type_: str = "string", *, wide: bool = False) -> Document:
    """Return a printer column; kubectl prints one that is ``wide`` only with ``-o wide``."""
    column: Document = {"name": name, "type": type_, "jsonPath": path, "description": description}
    return {**column, "priority": 1} if wide else column


READY = _column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Status of the Ready condition.")
AGE = _column("Age", ".metadata.creationTimestamp", "Age of the object.", "date")


@dataclass(frozen=True, slots=True)
class Definition:
    """A CustomResourceDefinition; its schema comes from ``model``."""

    kind: str
    model: type[Model]
    group: str
    version: str
    plural: str
    columns: tuple[Document, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)

    def document(self) -> Document:
        """Return the CustomResourceDefinition."""
        kind_names: Document = {
            "kind": self.kind,
            "listKind": f"{self.kind}List",
            "plural": self.plural,
            "singular": self.kind.lower(),
        }
        if self.short_names:
            kind_names["shortNames"] = list(self.short_names)
        if self.categories:
            kind_names["categories"] = list(self.categories)
        metadata: Document = {"name": f"{self.plural}.{self.group}"}
        if self.labels:
            metadata["labels"] = dict(self.labels)
        version = {
            "name": self.version,
            "served": True,
            "storage": True,
            "subresources": {"status": {}},
            "additionalPrinterColumns": [dict(column) for column in self.columns],
            "schema": {"openAPIV3Schema": schema_of_kind(self.model)},
        }
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": metadata,
            "spec": {"group": self.group, "scope": "Namespaced", "names": kind_names, "versions": [version]},
        }


DEFINITIONS = (
    Definition(
        names.INTEGRATION_KIND,
        IntegrationObject,
        names.INTEGRATION_GROUP,
        names.INTEGRATION_VERSION,
        names.INTEGRATION_PLURAL,
        (
            _column("Space-NS", ".spec.addressSpaceRef.namespace", "Namespace of the AddressSpace."),
            _column("AddressSpace", ".spec.addressSpaceRef.name", "Name of the AddressSpace."),
            _column("Syndesis", ".spec.client", "Name of the Syndesis."),
            _column("Enabled", ".spec.enabled", "Value of spec.enabled.", "boolean"),
            _column("Phase", ".status.phase", "How far it is."),
            READY,
            _column("Reason", ".status.reason", "Reason of the condition Ready, Disabled or Suspended."),
            AGE,
            _column("User", ".status.delivered.user.delivery", "Delivery of the user.", wide=True),
            _column("Connection", ".status.delivered.connection.delivery", "Delivery of the connection.", wide=True),
            _column("Binding", ".status.binding.name", "Secret that a workload can use.", wide=True),
            _column("Message", ".status.statusMessage", "Message of the same condition.", wide=True),
        ),
        short_names=("itg",),
        categories=("integreatly",),
        labels={names.PROVISIONED_SERVICE_LABEL: "true"},
    ),
    Definition(
        names.CONNECTION_KIND,
        ConnectionObject,
        names.CONNECTION_GROUP,
        names.CONNECTION_VERSION,
        names.CONNECTION_PLURAL,
        (
            _column("Connector", ".spec.connectorId", "Id of the connector in Syndesis."),
            _column("Phase", ".status.phase", "How far it is."),
            _column("ID", ".status.connectionId", "Id of the connection in Syndesis."),
            READY,
            _column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Reason of the Ready condition."),
            AGE,
            _column(
                "Message",
                '.status.conditions[?(@.type=="Ready")].message',
                "Message of the Ready condition.",
                wide=True,
            ),
        ),
        labels={names.PLACEHOLDER_LABEL: "true"},
    ),
)


def custom_resource_definitions() -> list[Document]:
    """Return the CustomResourceDefinitions of the operator."""
    return [definition.document() for definition in DEFINITIONS]


def manifests() -> Iterator[tuple[str, str]]:
    """Yield name and text of a file for each CustomResourceDefinition."""
    for document in custom_resource_definitions():
        yield f"{document['metadata']['name']}.yaml", HEADER + to_yaml(document)


def schema_of_kind(model: type[Model]) -> Document:
    """Return the schema of an object, without that of metadata, which belongs to the API server."""
    schema = model.model_json_schema(by_alias=True)
    root = structural(schema, schema.pop("$defs", {}))
    root["properties"] = {
        "apiVersion": {"description": API_VERSION, "type": "string"},
        "kind": {"description": KIND, "type": "string"},
        **root["properties"],
        "metadata": {"type": "object"},
    }
    return root


def structural(node: Document, definitions: Document) -> Document:
    """Convert a node of a JSON Schema and its children to a structural schema.

    None in Python is an absent field. The API server drops a null unless the field is nullable. A keyword that a
    structural schema does not support is an error.
    """
    node = _resolved(node, definitions)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if node.get("type") == "integer":
        node["format"] = "int64"
    unsupported = {
        keyword
        for keyword in node.keys() - {*KEYWORDS, *DROPPED, *NESTED, SERVER_DEFAULT}
        if not keyword.startswith(EXTENSION)
    }
    if unsupported or "type" not in node:
        raise TypeError(
            f"no structural schema: {sorted(unsupported) or 'the missing type'} in {node.get('title', node)}"
        )
    converted = {keyword: node[keyword] for keyword in KEYWORDS if keyword in node}
    if "properties" in node:
        converted["properties"] = {name: structural(below, definitions) for name, below in node["properties"].items()}
    elif isinstance(node.get("additionalProperties"), dict):
        converted["additionalProperties"] = structural(node["additionalProperties"], definitions)
    if SERVER_DEFAULT in node:
        converted["default"] = node[SERVER_DEFAULT]
    if "items" in node:
        converted["items"] = structural(node["items"], definitions)
    return converted | {keyword: value for keyword, value in node.items() if keyword.startswith(EXTENSION)}


def to_yaml(document: Document) -> str:
    """Write reproducible YAML: in the order of the document, without anchors."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _resolved(node: Document, definitions: Document) -> Document:
    """Resolve the reference of a node, or its only alternative to null; its own keywords win."""
    own = {keyword: value for keyword, value in node.items() if keyword not in ("$ref", "anyOf")}
    if "anyOf" in node:
        (alternative,) = [one for one in node["anyOf"] if one != {"type": "null"}]
        return _resolved({**alternative, **own}, definitions)
    if "$ref" in node:
        return _resolved({**definitions[node["$ref"].rpartition("/")[2]], **own}, definitions)
    return own


class _Dumper(yaml.SafeDumper):
    """Writes no aliases, and text with several lines as a block."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
