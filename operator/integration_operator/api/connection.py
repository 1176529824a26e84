"""The ``Connection`` kind: a placeholder for what Syndesis issue 3692 asked for and no release of Syndesis serves.

The shape is what a Syndesis connection is made of, with secret values by reference. The CRD carries a label that says it
is ours, so that a real one is told apart.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from integration_operator.api import names
from integration_operator.api.integration import Condition, Model, rule, rules
from integration_operator.api.schema import structural

GROUP, VERSION, KIND, PLURAL = "syndesis.io", "v1alpha1", "Connection", "connections"

Document = dict[str, Any]
Text = Annotated[str, Field(min_length=1)]


class KeyRef(Model):
    """A key of a Secret or ConfigMap in the Connection's namespace."""

    name: Text = Field(description="Name of the object.")
    key: Text = Field(description="The key in it.")
    optional: bool | None = Field(None, description="Whether it may be missing.")


class PropertyFrom(Model):
    """A property whose value is kept elsewhere."""

    property: Text = Field(description="Name of the connector's property, such as username or password.")
    secret_key_ref: KeyRef | None = Field(None, description="The value is in a Secret.")
    config_map_key_ref: KeyRef | None = Field(None, description="The value is in a ConfigMap.")


class ConnectionSpec(Model):
    """What the connection is."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("self.connectorId == oldSelf.connectorId", "spec.connectorId cannot be changed: it is another connection")
        )
    )

    connector_id: Annotated[str, Field(min_length=1, max_length=253)] = Field(description="Id of the connector: amqp.")
    connection_id: str | None = Field(
        None, description="Id of a connection that is there already and is to be taken over."
    )
    name: Text | None = Field(None, description="Name in Syndesis, unique in the instance.")
    description: str | None = Field(None, description="Description in Syndesis.")
    tags: list[Text] | None = Field(
        None, description="Tags in Syndesis.", json_schema_extra={"x-kubernetes-list-type": "set"}
    )
    configured_properties: dict[str, str] | None = Field(
        None, description="The connector's properties that are not secret."
    )
    configured_properties_from: list[PropertyFrom] | None = Field(
        None,
        description="The connector's properties whose values are kept elsewhere.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["property"]},
    )


class ConnectionStatus(Model):
    """What Syndesis made of it."""

    observed_generation: int | None = Field(
        None, description="The generation that was taken.", json_schema_extra={"format": "int64"}
    )
    phase: Literal["", "Pending", "Ready", "Error", "Deleting"] | None = Field(None, description="How far it is.")
    connection_id: str | None = Field(None, description="The connection's id in Syndesis.")
    conditions: list[Condition] | None = Field(
        None,
        description="What holds for it.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )


def custom_resource_definition() -> Document:
    """The CustomResourceDefinition of the kind, with the placeholder's label."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": {names.PLACEHOLDER_LABEL: "true"}},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": "connection",
                "categories": ["integreatly"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": "Connector", "type": "string", "jsonPath": ".spec.connectorId"},
                        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
                        {"name": "ID", "type": "string", "jsonPath": ".status.connectionId"},
                        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": "A connection of Syndesis. This definition is a placeholder for the one "
                            "that Syndesis issue 3692 asked for: Syndesis itself does not reconcile it.",
                            "required": ["spec"],
                            "properties": {
                                "spec": structural(ConnectionSpec),
                                "status": structural(ConnectionStatus),
                            },
                        }
                    },
                }
            ],
        },
    }
