"""The kind Connection: a connection of Syndesis as a resource.

Syndesis issue 3692 asked for it, and no release of Syndesis serves it. This is a placeholder with the fields that a
reconciler would need; its CustomResourceDefinition carries a label that tells it from a real one. Values that are
secret stand in a Secret and are named here, never written.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, model_validator

from integration_operator.api.model import (
    LIST_AS_SET,
    Condition,
    DataKey,
    Model,
    ObjectName,
    Time,
    list_by,
    rules,
)

CONNECTOR_FIXED = "spec.connectorId cannot be changed: delete the Connection and write a new one"
ONE_SOURCE = "an entry of spec.configuredPropertiesFrom needs either secretKeyRef or configMapKeyRef"
ONE_VALUE = "a property may stand in spec.configuredProperties or in spec.configuredPropertiesFrom, not in both"


class KeyRef(Model):
    """A key of a Secret or ConfigMap in the namespace of the Connection."""

    name: ObjectName = Field(description="The name of the Secret or ConfigMap.")
    key: DataKey = Field(description="The key whose value is taken.")
    optional: StrictBool | None = Field(
        default=None, description="Leave the property out if the key, or the object, does not exist."
    )


class PropertyFrom(Model):
    """A property whose value stands elsewhere."""

    model_config = ConfigDict(
        json_schema_extra=rules(("has(self.secretKeyRef) != has(self.configMapKeyRef)", ONE_SOURCE))
    )

    property: str = Field(
        min_length=1, max_length=253, description="The key of the property in the connector, such as password."
    )
    secret_key_ref: KeyRef | None = Field(default=None, description="The key of a Secret that holds the value.")
    config_map_key_ref: KeyRef | None = Field(default=None, description="The key of a ConfigMap that holds the value.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.secret_key_ref is None) == (self.config_map_key_ref is None):
            raise ValueError(ONE_SOURCE)
        return self


class ConnectionSpec(Model):
    """The connection that is wanted."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("self.connectorId == oldSelf.connectorId", CONNECTOR_FIXED),
            (
                "!has(self.configuredProperties) || !has(self.configuredPropertiesFrom)"
                " || self.configuredPropertiesFrom.all(p, !(p.property in self.configuredProperties))",
                ONE_VALUE,
            ),
        )
    )

    connector_id: str = Field(
        min_length=1,
        max_length=253,
        description="The id of the connector in Syndesis, such as amqp. It cannot be changed.",
    )
    connection_id: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        pattern=r"^[a-zA-Z0-9_-]+$",
        description=(
            "The id of a connection that Syndesis has already. It is taken over and brought up to date; none is made "
            "beside it. Default: a new connection is created."
        ),
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        description="The name in Syndesis, unique in the instance. Default: metadata.name.",
    )
    description: str | None = Field(default=None, description="What Syndesis shows below the name.")
    tags: tuple[Annotated[str, Field(min_length=1, max_length=253)], ...] | None = Field(
        default=None, max_length=64, json_schema_extra=LIST_AS_SET, description="Words to find the connection by."
    )
    configured_properties: dict[str, str] | None = Field(
        default=None, max_length=64, description="The properties of the connector that are not secret."
    )
    configured_properties_from: tuple[PropertyFrom, ...] | None = Field(
        default=None,
        max_length=64,
        json_schema_extra=list_by("property"),
        description="The properties whose values are secret, or long, and stand in a Secret or a ConfigMap.",
    )

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        if any(p.property in (self.configured_properties or ()) for p in self.configured_properties_from or ()):
            raise ValueError(ONE_VALUE)
        return self


class Verification(Model):
    """What Syndesis answered when it tried the connection."""

    time: Time | None = Field(default=None, description="When it was tried.")
    status: str | None = Field(default=None, description="OK, ERROR or UNSUPPORTED.")
    message: str | None = Field(default=None, description="What went wrong.")


class ConnectionStatus(Model):
    """What the reconciler found and did. Written by the reconciler alone."""

    phase: Literal["", "Pending", "Ready", "Error", "Deleting"] | None = Field(
        default=None, description="How far the connection is."
    )
    connection_id: str | None = Field(default=None, description="The id of the connection in Syndesis.")
    credentials_hash: str | None = Field(
        default=None, description="A salted hash of the secret values, by which a change of them is seen."
    )
    stored_hash: str | None = Field(
        default=None,
        description="A hash of the encrypted values that Syndesis stored, by which a change of them there is seen.",
    )
    last_verified: Verification | None = Field(
        default=None, description="What Syndesis answered when it tried the connection."
    )
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status was computed from."
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        json_schema_extra=list_by("type"),
        description="Ready says whether Syndesis has the connection as it is written here.",
    )


class Connection(Model):
    """A connection of Syndesis. This kind is a placeholder.

    It stands in for the kind that Syndesis issue 3692 asked for, which no release of Syndesis serves. It was installed
    with the integration operator. Nothing in Syndesis reconciles it; the connection controller of the operator can.
    """

    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: ConnectionSpec = Field(description="The connection that is wanted.")
    status: ConnectionStatus | None = Field(default=None, description="What the reconciler found and did.")
