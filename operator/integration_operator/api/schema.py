"""From the models to CustomResourceDefinitions (apiextensions.k8s.io/v1).

A CustomResourceDefinition wants a structural schema: no references, a type on every node, only some of the words of
JSON Schema. pydantic gives a JSON Schema; the little between the two is here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from integration_operator.api import names
from integration_operator.api.connection import Connection
from integration_operator.api.integration import Integration
from integration_operator.api.model import SERVER_DEFAULT, Model

Document = dict[str, Any]

WORDS = (
    *("description", "type", "format", "nullable", "enum", "pattern"),
    *("minimum", "minLength", "maxLength", "minItems", "maxItems", "maxProperties", "required"),
)
"""What is taken over as it is, in the order in which it is written."""
LEFT_OUT = frozenset({"title", "default"})
"""A title repeats the name. A default is what Python puts if nothing was written; the server puts
``SERVER_DEFAULT``."""
BELOW = frozenset({"properties", "additionalProperties", "items"})
EXTENSION = "x-kubernetes-"

HEADER = "# Generated from the models of the operator: integration-operator crds --output <directory>\n"

API_VERSION = (
    "The version of the schema of this object. "
    "See https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources"
)
KIND = (
    "The kind of this object. "
    "See https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds"
)


def _column(name: str, path: str, description: str, type_: str = "string") -> Document:
    return {"name": name, "type": type_, "jsonPath": path, "description": description}


READY = _column("Ready", '.status.conditions[?(@.type=="Ready")].status', "Whether everything is as it should be.")
AGE = _column("Age", ".metadata.creationTimestamp", "How old it is.", "date")


@dataclass(frozen=True, slots=True)
class Definition:
    """What a CustomResourceDefinition says beside the schema, which comes from ``model``, named as the kind."""

    model: type[Model]
    group: str
    version: str
    plural: str
    columns: tuple[Document, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)

    def document(self) -> Document:
        """The CustomResourceDefinition."""
        kind = self.model.__name__
        kind_names: Document = {
            "kind": kind,
            "listKind": f"{kind}List",
            "plural": self.plural,
            "singular": kind.lower(),
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
        Integration,
        names.INTEGRATION_GROUP,
        names.INTEGRATION_VERSION,
        names.INTEGRATION_PLURAL,
        (
            _column("AddressSpace", ".spec.addressSpaceRef.name", "The AddressSpace whose messaging is offered."),
            _column("Syndesis", ".spec.client", "The Syndesis it is offered to."),
            _column("Enabled", ".spec.enabled", "Whether it is to be delivered.", "boolean"),
            _column("Phase", ".status.phase", "How far it is."),
            READY,
            _column("Reason", '.status.conditions[?(@.type=="Ready")].reason', "Why it is ready, or is not."),
            AGE,
        ),
        short_names=("itg",),
        categories=("integreatly",),
    ),
    Definition(
        Connection,
        names.CONNECTION_GROUP,
        names.CONNECTION_VERSION,
        names.CONNECTION_PLURAL,
        (
            _column("Connector", ".spec.connectorId", "The connector in Syndesis."),
            _column("Phase", ".status.phase", "How far it is."),
            _column("ID", ".status.connectionId", "The id of the connection in Syndesis."),
            READY,
            AGE,
        ),
        labels={names.PLACEHOLDER_LABEL: "true"},
    ),
)


def custom_resource_definitions() -> list[Document]:
    """The CustomResourceDefinitions of the kinds that the operator brings."""
    return [definition.document() for definition in DEFINITIONS]


def manifests() -> Iterator[tuple[str, str]]:
    """Each CustomResourceDefinition as a file: its name and its text."""
    for document in custom_resource_definitions():
        yield f"{document['metadata']['name']}.yaml", HEADER + to_yaml(document)


def schema_of_kind(model: type[Model]) -> Document:
    """The schema of a whole object; of metadata it may say nothing, that is the API server's."""
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
    """Return a node of a JSON Schema, and all below it, as a structural schema.

    None in Python is a field that was left out. A null is the same to the API server, which drops it, except where the
    field says nullable. A word that has no place in a structural schema is an error.
    """
    node = _resolved(node, definitions)
    if "const" in node:
        node["enum"] = [node.pop("const")]
    if node.get("type") == "integer":
        node["format"] = "int64"
    strange = {
        word for word in node.keys() - {*WORDS, *LEFT_OUT, *BELOW, SERVER_DEFAULT} if not word.startswith(EXTENSION)
    }
    if strange or "type" not in node:
        raise TypeError(
            f"no structural schema, because of {sorted(strange) or 'the missing type'} in {node.get('title', node)}"
        )
    found = {word: node[word] for word in WORDS if word in node}
    if "properties" in node:
        found["properties"] = {name: structural(below, definitions) for name, below in node["properties"].items()}
    elif isinstance(node.get("additionalProperties"), dict):
        found["additionalProperties"] = structural(node["additionalProperties"], definitions)
    if SERVER_DEFAULT in node:
        found["default"] = node[SERVER_DEFAULT]
    if "items" in node:
        found["items"] = structural(node["items"], definitions)
    return found | {word: value for word, value in node.items() if word.startswith(EXTENSION)}


def to_yaml(document: Document) -> str:
    """YAML that is always the same for the same document: in its own order, without anchors."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _resolved(node: Document, definitions: Document) -> Document:
    """A node with what it refers to, and its only alternative to null, put in place; what it says itself wins."""
    own = {word: value for word, value in node.items() if word not in ("$ref", "anyOf")}
    if "anyOf" in node:
        (alternative,) = [one for one in node["anyOf"] if one != {"type": "null"}]
        return _resolved({**alternative, **own}, definitions)
    if "$ref" in node:
        return _resolved({**definitions[node["$ref"].rpartition("/")[2]], **own}, definitions)
    return own


class _Dumper(yaml.SafeDumper):
    """Writes everything out, and text of several lines as a block."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)
