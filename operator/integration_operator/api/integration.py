"""The kind Integration: offers the messaging of one AddressSpace to one Syndesis, or to any workload.

Each field of the spec is optional, and the schema has no defaults: the operator writes missing fields with its own
field manager, so that managedFields show who wrote a field. Objects of the proof of concept are valid.

The CEL rules and the Python validators are equivalent. The validators are for specs that no server has validated: a
file on the command line, or an object that was stored before the schema.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, model_validator

from integration_operator.api.model import (
    LIST_AS_SET,
    NOT_OBSERVED,
    SERVER_DEFAULT,
    Condition,
    DataKey,
    Model,
    NamespaceName,
    ObjectName,
    list_by,
    rules,
)

ADDRESS_SPACE_FIXED = "spec.addressSpaceRef cannot be changed once set: delete the Integration and create a new one"
ADDRESS_SPACE_KEPT = "spec.addressSpaceRef cannot be removed once set: delete the Integration and create a new one"
CLIENT_FIXED = "spec.client cannot be changed once set: delete the Integration and create a new one"
CLIENT_KEPT = "spec.client cannot be removed once set: delete the Integration and create a new one"
CONSUMER_FIXED = "spec.consumer cannot be changed: delete the Integration and create a new one"
BINDING_ALONE = (
    "spec.client, spec.serviceProvider, spec.delivery.connection and spec.credentialsSecretRef have no meaning with "
    "spec.consumer: binding; remove them"
)
SPEC_KEPT = "spec cannot be removed once it names the pair: delete the Integration and create a new one"
ADDRESSES_MISSING = "a rule of spec.authorization with send or recv needs addresses; '*' means all addresses"
PERIOD_EMPTY = "spec.rotation.every must be longer than 0s"
OVERLAP_TOO_LONG = "spec.rotation.overlap must be shorter than spec.rotation.every"

DURATION = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$"
"""With five digits the sum is far below the 292 years at which duration() in CEL overflows."""

Duration = Annotated[str, Field(min_length=2, max_length=18, pattern=DURATION)]
"""Hours, minutes and seconds in the format of Go: `720h`, `1h30m`."""


def timedelta_of(duration: str) -> timedelta:
    """Parse a `Duration`."""
    amounts = {unit: int(amount) for amount, unit in re.findall(r"([0-9]+)([hms])", duration)}
    return timedelta(hours=amounts.get("h", 0), minutes=amounts.get("m", 0), seconds=amounts.get("s", 0))


class AddressSpaceRef(Model):
    """An AddressSpace."""

    namespace: NamespaceName = Field(description="The namespace of the AddressSpace.")
    name: ObjectName = Field(description="The name of the AddressSpace.")


class DeliveryChoice(Model):
    """How the user and the connection are delivered."""

    user: Literal["auto", "native", "keycloak"] | None = Field(
        default=None,
        description="Delivery of the user: native applies a MessagingUser, keycloak calls Keycloak over REST.",
    )
    connection: Literal["auto", "native", "rest"] | None = Field(
        default=None,
        description="Delivery of the connection: native applies a Connection, rest calls Syndesis over REST.",
    )


class Authorization(Model):
    """Operations that the messaging user may perform, and their addresses."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.operations.all(o, o in ['view', 'manage']) || (has(self.addresses) && size(self.addresses) > 0)",
                ADDRESSES_MISSING,
            ),
        )
    )

    operations: tuple[Literal["send", "recv", "view", "manage"], ...] = Field(
        min_length=1, max_length=4, json_schema_extra=LIST_AS_SET, description="The allowed operations."
    )
    addresses: tuple[Annotated[str, Field(min_length=1, max_length=512)], ...] | None = Field(
        default=None,
        max_length=128,
        description=(
            "The addresses of the operations, with the wildcards of EnMasse; * means all addresses. "
            "send and recv require addresses; EnMasse up to 0.30 also requires them for view."
        ),
    )

    @model_validator(mode="after")
    def _addresses_where_needed(self) -> Self:
        if {"send", "recv"} & set(self.operations) and not self.addresses:
            raise ValueError(ADDRESSES_MISSING)
        return self


class SecretRef(Model):
    """A Secret in the namespace of the Integration, and its keys."""

    name: ObjectName = Field(description="The name of the Secret.")
    username_key: DataKey | None = Field(
        default=None, description="The key that holds the user name. Default: username."
    )
    password_key: DataKey | None = Field(
        default=None, description="The key that holds the password. Default: password."
    )


class Rotation(Model):
    """Rotation of the credential."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!has(self.every) || duration(self.every) > duration('0s')", PERIOD_EMPTY),
            (
                "!has(self.every) || !has(self.overlap) || duration(self.overlap) < duration(self.every)",
                OVERLAP_TOO_LONG,
            ),
        )
    )

    every: Duration | None = Field(
        default=None,
        description="Lifetime of a credential, such as 720h or 1h30m. Default: unlimited.",
    )
    overlap: Duration | None = Field(
        default=None,
        description=(
            "Time for which the earlier user remains once the connection has the new one, such as 24h. An integration "
            "that runs uses the earlier user until it is published again. Default: 1h."
        ),
    )

    @model_validator(mode="after")
    def _overlap_within_period(self) -> Self:
        if self.every is not None and not timedelta_of(self.every):
            raise ValueError(PERIOD_EMPTY)
        if self.every and self.overlap and timedelta_of(self.overlap) >= timedelta_of(self.every):
            raise ValueError(OVERLAP_TOO_LONG)
        return self


class IntegrationSpec(Model):
    """The desired state of the pair."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!has(oldSelf.addressSpaceRef) || has(self.addressSpaceRef)", ADDRESS_SPACE_KEPT),
            (
                "!has(oldSelf.addressSpaceRef) || !has(self.addressSpaceRef)"
                " || self.addressSpaceRef == oldSelf.addressSpaceRef",
                ADDRESS_SPACE_FIXED,
            ),
            (
                "!has(oldSelf.client) || oldSelf.client == '' || (has(self.client) && self.client != '')",
                CLIENT_KEPT,
            ),
            (
                "!has(oldSelf.client) || oldSelf.client == '' || !has(self.client) || self.client == ''"
                " || self.client == oldSelf.client",
                CLIENT_FIXED,
            ),
            (
                "(has(self.consumer) ? self.consumer : 'syndesis')"
                " == (has(oldSelf.consumer) ? oldSelf.consumer : 'syndesis')",
                CONSUMER_FIXED,
            ),
            (
                "!has(self.consumer) || self.consumer != 'binding' || !((has(self.client) && self.client != '')"
                " || has(self.serviceProvider) || has(self.credentialsSecretRef)"
                " || (has(self.delivery) && has(self.delivery.connection)))",
                BINDING_ALONE,
            ),
        )
    )

    service_provider: Literal["fuse"] | None = Field(
        default=None, description="The product that the AddressSpace is integrated with: fuse is Syndesis."
    )
    integration_type: Literal["amqp"] | None = Field(
        default=None, description="Type of the connection: amqp uses the AMQP connector of Syndesis."
    )
    service: str | None = Field(
        default=None, max_length=253, description="No effect. The proof of concept wrote enmasse."
    )
    client: str | None = Field(
        default=None,
        max_length=253,
        pattern=r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$",
        description=(
            "The name of the Syndesis, which is in the namespace of the Integration. Default: the only one there. It "
            "cannot be changed once set."
        ),
    )
    consumer: Literal["syndesis", "binding"] | None = Field(
        default=None,
        description=(
            "Who uses the messaging: syndesis (the default), which gets a connection, or binding: any workload in the "
            "namespace of the Integration, which uses the Secret in status.binding. It cannot be changed."
        ),
    )
    enabled: StrictBool | None = Field(
        default=None,
        json_schema_extra={SERVER_DEFAULT: False},
        description="Deliver the pair. No user or connection is created until this is true.",
    )
    address_space_ref: AddressSpaceRef | None = Field(
        default=None,
        description=(
            "The AddressSpace whose messaging is offered. Default: found from the name enmasse-<space>-to-fuse of the "
            "Integration, if only one AddressSpace matches. It cannot be changed once set."
        ),
    )
    delivery: DeliveryChoice | None = Field(
        default=None,
        description="How the user and the connection are delivered. Default: auto, which uses what the cluster serves.",
    )
    tls: Literal["auto", "required", "disabled"] | None = Field(
        default=None,
        description=(
            "TLS between Syndesis and the broker. auto (the default) uses TLS if the AddressSpace has a TLS port and a "
            "CA, and never returns to plain text after that; required never uses plain text; disabled never uses TLS."
        ),
    )
    authorization: tuple[Authorization, ...] | None = Field(
        default=None,
        max_length=32,
        description=(
            "Permissions of the messaging user. Default: send and recv on all addresses. Across namespaces the "
            "annotation integreatly.org/allowed-operations of the AddressSpace limits them."
        ),
    )
    credentials_secret_ref: SecretRef | None = Field(
        default=None,
        description=(
            "A Secret with your own credential, whose changes the operator follows. It needs the label "
            "integreatly.org/integration; for an AddressSpace of another namespace, where others may read the "
            "password, also the annotation integreatly.org/address-space, which names it. Default: the operator "
            "generates a credential and stores it in its own Secret."
        ),
    )
    rotation: Rotation | None = Field(
        default=None,
        description=(
            "Rotation of the credential: a new user replaces the earlier one. The annotation integreatly.org/rotate "
            "requests it at any time. The owner of the Secret in credentialsSecretRef rotates its credential."
        ),
    )
    deletion_policy: Literal["Delete", "Retain"] | None = Field(
        default=None,
        description=(
            "Delete or retain the user, the connection and the Secret when the Integration is deleted. Across "
            "namespaces a login that was created over REST is not retained. Default: Delete."
        ),
    )
    suspend: StrictBool | None = Field(
        default=None,
        description="While true, nothing is created, changed or deleted. Withdrawn consent still ends access.",
    )

    @model_validator(mode="after")
    def _nothing_of_syndesis_in_binding(self) -> Self:
        connection = self.delivery is not None and self.delivery.connection is not None
        of_syndesis = self.client or self.service_provider or self.credentials_secret_ref or connection
        if self.consumer == "binding" and of_syndesis:
            raise ValueError(BINDING_ALONE)
        return self


class DeliveredUser(Model):
    """The messaging user that exists."""

    delivery: str | None = Field(default=None, description="Its delivery: native, aggregated or keycloak.")
    namespace: str | None = Field(
        default=None, description="The namespace of the MessagingUser, if the delivery is native."
    )
    name: str | None = Field(default=None, description="The name of the MessagingUser, if the delivery is native.")
    username: str | None = Field(default=None, description="The user name for the login.")
    applied_hash: str | None = Field(
        default=None, description="Hash of the confirmed document, if the user cannot be watched."
    )
    credentials_hash: str | None = Field(
        default=None,
        description="Salted hash of the confirmed credential, if the user cannot be watched.",
    )
    platform: str | None = Field(
        default=None, description="The uid of the AddressSpace of the confirmed user, if it cannot be watched."
    )


class DeliveredConnection(Model):
    """The connection that exists."""

    delivery: str | None = Field(default=None, description="Its delivery: native or rest.")
    name: str | None = Field(default=None, description="The name of the Connection, if the delivery is native.")
    id: str | None = Field(default=None, description="The id of the connection in Syndesis.")
    uri: str | None = Field(default=None, description="The URI of the broker, without credentials.")
    applied_hash: str | None = Field(
        default=None, description="Hash of the confirmed document, if the delivery is rest."
    )
    credentials_hash: str | None = Field(
        default=None, description="Salted hash of the confirmed credential, if the delivery is rest."
    )
    platform: str | None = Field(
        default=None, description="The uid of the Syndesis that confirmed it, if the delivery is rest."
    )
    stored_hash: str | None = Field(
        default=None, description="Hash of the encrypted password that Syndesis stored, if the delivery is rest."
    )


class Delivered(Model):
    """What exists for the pair."""

    user: DeliveredUser | None = Field(default=None, description="The messaging user.")
    second_user: DeliveredUser | None = Field(
        default=None,
        description="During a rotation: the user that the connection does not have yet, or no longer has.",
    )
    connection: DeliveredConnection | None = Field(default=None, description="The connection.")
    secret_name: str | None = Field(default=None, description="The name of the Secret with the credential.")
    uri: str | None = Field(
        default=None, description="The URI of the broker, without credentials, if spec.consumer is binding."
    )
    source: str | None = Field(
        default=None,
        description="Source of the AddressSpace: crd (watched), aggregated (polled) or configmap.",
    )


class BoundSecret(Model):
    """The Secret that a workload can use, as in the Service Binding specification 1.1 (Provisioned Service)."""

    name: str = Field(description="The name of the Secret, in the namespace of the Integration.")


class RotationStatus(Model):
    """The rotation of the credential."""

    rotated_at: str | None = Field(default=None, description="The time of the last rotation.")
    next_at: str | None = Field(
        default=None, description="The time at which spec.rotation.every requires the next one."
    )
    moved_at: str | None = Field(
        default=None,
        description="While the earlier user remains: the time since which the connection has the new one.",
    )


class IntegrationStatus(Model):
    """The observed state of the pair. Only the operator writes it."""

    phase: Literal["", "accepted", "integrating", "complete"] | None = Field(
        default=None,
        description=(
            "Phase of the pair, with the values of the proof of concept: empty if the pair is not allowed, accepted "
            "when it is offered, integrating while it is enabled and not ready, complete when it is ready. See the "
            "conditions for details."
        ),
    )
    reason: str | None = Field(
        default=None, description="The reason of the condition Ready, or of Disabled or Suspended in its place."
    )
    status_message: str | None = Field(default=None, description="The message of the same condition.")
    meta_data: dict[str, str] | None = Field(
        default=None,
        json_schema_extra={"nullable": True},
        description="msgHost: the host of the messaging endpoint. The proof of concept wrote realm and connectionID.",
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
            "Ready summarizes Paired (the pair is allowed), CredentialsReady (the Secret has the credential), "
            "UserReady (the user can log in) and ConnectionReady (Syndesis has the connection). Disabled or Suspended "
            "takes its place if the spec says so. Reconciling is present while something passes by itself, Stalled "
            "while a user has to act. DeliveryChosen, ConnectionVerified and Rotating are informative."
        ),
    )
    delivered: Delivered | None = Field(default=None, description="What exists for the pair.")
    binding: BoundSecret | None = Field(
        default=None,
        description=(
            "The Secret with all that a workload needs to use the messaging, while its user can log in. It is absent "
            "with spec.credentialsSecretRef, because the operator does not write that Secret."
        ),
    )
    rotation: RotationStatus | None = Field(default=None, description="The rotation of the credential.")


class IntegrationObject(Model):
    """Offers the messaging of one AddressSpace to one Syndesis as a connection, or to any workload as a Secret.

    The operator creates one for each allowed pair, with enabled false. While it is enabled, the operator creates and
    updates a messaging user, its Secret and a connection. It deletes them when the Integration is disabled or deleted.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(oldSelf.spec) || has(self.spec) || !(has(oldSelf.spec.addressSpaceRef)"
                " || (has(oldSelf.spec.client) && oldSelf.spec.client != '') || has(oldSelf.spec.consumer))",
                SPEC_KEPT,
            ),
        )
    )

    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: IntegrationSpec = Field(default_factory=IntegrationSpec, description="The desired state of the pair.")
    status: IntegrationStatus | None = Field(
        default=None, json_schema_extra=NOT_OBSERVED, description="The observed state of the pair."
    )
