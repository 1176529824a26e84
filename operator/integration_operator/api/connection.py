"""The kind Connection: a connection of Syndesis as a resource.

Syndesis issue 3692 requested it, and no release of Syndesis serves it. This is a placeholder with the fields that a
reconciler needs; a label marks its CustomResourceDefinition. Secret values are in a Secret, which the spec references.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, model_validator

from integration_operator.api.model import (
    LIST_AS_SET,
    NOT_OBSERVED,
    Condition,
    DataKey,
    Model,
    ObjectName,
    Time,
    list_by,
    rules,
)

CONNECTOR_FIXED = "spec.connectorId cannot be changed: delete the Connection and create a new one"
ONE_SOURCE = "an entry of spec.configuredPropertiesFrom needs either secretKeyRef or configMapKeyRef"
ONE_VALUE = "a property may be in spec.configuredProperties or in spec.configuredPropertiesFrom, not in both"


class KeyRef(Model):
    """A key of a Secret or ConfigMap in the namespace of the Connection."""

    name: ObjectName = Field(description="The name of the Secret or ConfigMap.")
    key: DataKey = Field(description="The key of the value.")
    optional: StrictBool | None = Field(
        default=None, description="Omit the property if the key or the object does not exist."
    )


class PropertyFrom(Model):
    """A property with its value in a Secret or ConfigMap."""

    model_config = ConfigDict(
        json_schema_extra=rules(("has(self.secretKeyRef) != has(self.configMapKeyRef)", ONE_SOURCE))
    )

    property: str = Field(
        min_length=1, max_length=253, description="The key of the property in the connector, such as password."
    )
    secret_key_ref: KeyRef | None = Field(default=None, description="The Secret key with the value.")
    config_map_key_ref: KeyRef | None = Field(default=None, description="The ConfigMap key with the value.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.secret_key_ref is None) == (self.config_map_key_ref is None):
            raise ValueError(ONE_SOURCE)
        return self


class ConnectionSpec(Model):
    """The desired connection."""

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
            "The id of an existing connection in Syndesis, which is adopted and updated. Default: a new connection is "
            "created."
        ),
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=300,
        description="The name in Syndesis, which must be unique. Default: metadata.name.",
    )
    description: str | None = Field(default=None, description="The description in Syndesis.")
    tags: tuple[Annotated[str, Field(min_length=1, max_length=253)], ...] | None = Field(
        default=None, max_length=64, json_schema_extra=LIST_AS_SET, description="Tags of the connection in Syndesis."
    )
    configured_properties: dict[str, str] | None = Field(
        default=None, max_length=64, description="Properties of the connector that are not secret."
    )
    configured_properties_from: tuple[PropertyFrom, ...] | None = Field(
        default=None,
        max_length=64,
        json_schema_extra=list_by("property"),
        description="Properties with values in a Secret or a ConfigMap.",
    )

    @model_validator(mode="after")
    def _one_value(self) -> Self:
        if any(p.property in (self.configured_properties or ()) for p in self.configured_properties_from or ()):
            raise ValueError(ONE_VALUE)
        return self


class Verification(Model):
    """The result of a connection test of Syndesis."""

    time: Time | None = Field(default=None, description="Time of the test.")
    status: str | None = Field(default=None, description="OK or ERROR.")
    message: str | None = Field(default=None, description="Result of the test for users.")


class ConnectionStatus(Model):
    """The observed state of the connection. Only the reconciler writes it."""

    phase: Literal["", "Pending", "Ready", "Error", "Deleting"] | None = Field(
        default=None,
        description=(
            "Phase of the connection. The connection controller of the operator writes Pending, Ready and Error; other "
            "reconcilers may write the other values."
        ),
    )
    connection_id: str | None = Field(default=None, description="The id of the connection in Syndesis.")
    credentials_hash: str | None = Field(
        default=None, description="Salted hash of the secret values, to detect changes."
    )
    stored_hash: str | None = Field(
        default=None,
        description="Hash of the encrypted values that Syndesis stored, to detect changes in Syndesis.",
    )
    last_verified: Verification | None = Field(
        default=None, description="The result of the last connection test of Syndesis."
    )
    observed_generation: int | None = Field(
        default=None,
        ge=-1,
        description="The metadata.generation that this status was computed from. Default: -1, not yet observed.",
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        json_schema_extra=list_by("type"),
        description=(
            "Ready is True if the connection in Syndesis matches the spec. Reconciling is present while something "
            "passes by itself, Stalled while a user has to act."
        ),
    )


class ConnectionObject(Model):
    """A connection of Syndesis. This kind is a placeholder.

    Syndesis issue 3692 requested the kind, and no release of Syndesis serves it. The integration operator installed
    this placeholder. Syndesis does not reconcile it; the connection controller of the operator can.
    """

    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: ConnectionSpec = Field(description="The desired connection.")
    status: ConnectionStatus | None = Field(
        default=None, json_schema_extra=NOT_OBSERVED, description="The observed state of the connection."
    )
