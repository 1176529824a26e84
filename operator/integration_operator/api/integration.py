"""The kind Integration: the offer to let one Syndesis use one AddressSpace, and how that offer is to be delivered.

Every field of the spec may be left out, and the schema has no defaults: the operator writes what a user did not,
under its own field manager, so that it shows who wrote what. What the proof of concept stored validates
unchanged.

The rules in CEL and the validators in Python say the same. The validators are for specs that no server has checked: a
file on the command line, or an object that was stored before the schema was there.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, model_validator

from integration_operator.api.model import (
    LIST_AS_SET,
    SERVER_DEFAULT,
    Condition,
    DataKey,
    Model,
    NamespaceName,
    ObjectName,
    list_by,
    rules,
)

ADDRESS_SPACE_FIXED = "spec.addressSpaceRef cannot be changed once set: delete the Integration and write a new one"
ADDRESS_SPACE_KEPT = "spec.addressSpaceRef cannot be removed once set: delete the Integration and write a new one"
CLIENT_FIXED = "spec.client cannot be changed once set: delete the Integration and write a new one"
CLIENT_KEPT = "spec.client cannot be removed once set: delete the Integration and write a new one"
SPEC_KEPT = "spec cannot be removed once it names the pair: delete the Integration and write a new one"
ADDRESSES_MISSING = "a rule of spec.authorization with send or recv needs addresses; '*' means all of them"
PERIOD_EMPTY = "spec.rotation.every must be longer than 0s"
OVERLAP_TOO_LONG = "spec.rotation.overlap must be shorter than spec.rotation.every"

DURATION = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,5}s)?$"
"""Five digits: the sum stays far below the 292 years at which duration() in CEL overflows."""

Duration = Annotated[str, Field(min_length=2, max_length=18, pattern=DURATION)]
"""Hours, minutes and seconds, as Go writes them: `720h`, `1h30m`."""


def timedelta_of(duration: str) -> timedelta:
    """The time that a `Duration` means."""
    amounts = {unit: int(amount) for amount, unit in re.findall(r"([0-9]+)([hms])", duration)}
    return timedelta(hours=amounts.get("h", 0), minutes=amounts.get("m", 0), seconds=amounts.get("s", 0))


class AddressSpaceRef(Model):
    """An AddressSpace."""

    namespace: NamespaceName = Field(description="The namespace of the AddressSpace.")
    name: ObjectName = Field(description="The name of the AddressSpace.")


class DeliveryChoice(Model):
    """How each side is made. Default: auto, which takes what the cluster serves."""

    user: Literal["auto", "native", "keycloak"] | None = Field(
        default=None,
        description="How the messaging user is made: native writes a MessagingUser, keycloak asks Keycloak over REST.",
    )
    connection: Literal["auto", "native", "rest"] | None = Field(
        default=None,
        description="How the connection is made: native writes a Connection, rest asks the Syndesis server over REST.",
    )


class Authorization(Model):
    """What the messaging user may do, and on which addresses."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "self.operations.all(o, o in ['view', 'manage']) || (has(self.addresses) && size(self.addresses) > 0)",
                ADDRESSES_MISSING,
            ),
        )
    )

    operations: tuple[Literal["send", "recv", "view", "manage"], ...] = Field(
        min_length=1, max_length=4, json_schema_extra=LIST_AS_SET, description="The operations that are allowed."
    )
    addresses: tuple[Annotated[str, Field(min_length=1, max_length=512)], ...] | None = Field(
        default=None,
        max_length=128,
        description=(
            "The addresses on which they are allowed, with the wildcards of EnMasse; * means all of them. "
            "send and recv need addresses; EnMasse up to 0.30 wants them for view, too."
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
    """When the credential is replaced by a new one."""

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
        description="How long a credential is used, such as 720h or 1h30m. Default: for ever.",
    )
    overlap: Duration | None = Field(
        default=None,
        description="How long the old credential still works beside the new one, such as 24h.",
    )

    @model_validator(mode="after")
    def _overlap_within_period(self) -> Self:
        if self.every is not None and not timedelta_of(self.every):
            raise ValueError(PERIOD_EMPTY)
        if self.every and self.overlap and timedelta_of(self.overlap) >= timedelta_of(self.every):
            raise ValueError(OVERLAP_TOO_LONG)
        return self


class IntegrationSpec(Model):
    """What a user, or a policy, wants of the pair."""

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
        )
    )

    service_provider: Literal["fuse"] | None = Field(
        default=None, description="What the AddressSpace is integrated with: fuse is Syndesis."
    )
    integration_type: Literal["amqp"] | None = Field(
        default=None, description="What kind of connection is made: amqp uses the AMQP connector of Syndesis."
    )
    service: str | None = Field(
        default=None, max_length=253, description="Written by the proof of concept, enmasse; it has no effect."
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
    enabled: StrictBool | None = Field(
        default=None,
        json_schema_extra={SERVER_DEFAULT: False},
        description="Deliver the pair. Nothing is created for it until this is true.",
    )
    address_space_ref: AddressSpaceRef | None = Field(
        default=None, description="The AddressSpace whose messaging is offered. It cannot be changed once set."
    )
    delivery: DeliveryChoice | None = Field(
        default=None, description="How each side is made. Default: auto, which takes what the cluster serves."
    )
    tls: Literal["auto", "required", "disabled"] | None = Field(
        default=None,
        description=(
            "Whether Syndesis connects to the broker over TLS. auto (the default) uses TLS if the AddressSpace shows a "
            "TLS port and a CA, and never falls back to plain text after that; required never uses plain text; "
            "disabled never uses TLS."
        ),
    )
    authorization: tuple[Authorization, ...] | None = Field(
        default=None,
        max_length=32,
        description=(
            "What the messaging user may do. Default: send and recv on all addresses. Across namespaces the annotation "
            "integreatly.org/allowed-operations of the AddressSpace bounds it."
        ),
    )
    credentials_secret_ref: SecretRef | None = Field(
        default=None,
        description=(
            "A Secret with a credential of your own; it needs the label integreatly.org/integration. Default: the "
            "operator generates one and stores it in a Secret of its own."
        ),
    )
    rotation: Rotation | None = Field(
        default=None, description="When the credential is replaced by a new one. It has no effect in this version."
    )
    deletion_policy: Literal["Delete", "Retain"] | None = Field(
        default=None,
        description=(
            "Whether the user, the connection and the Secret are deleted or retained when the Integration is deleted. "
            "Default: Delete."
        ),
    )
    suspend: StrictBool | None = Field(
        default=None,
        description="While true, nothing is created, changed or deleted. Withdrawn consent still ends access.",
    )


class DeliveredUser(Model):
    """The messaging user that stands."""

    delivery: str | None = Field(default=None, description="How it was made: native, aggregated or keycloak.")
    namespace: str | None = Field(default=None, description="The namespace of the MessagingUser.")
    name: str | None = Field(default=None, description="The name of the MessagingUser.")
    username: str | None = Field(default=None, description="The name that the user logs in with.")
    applied_hash: str | None = Field(
        default=None, description="A hash of what was confirmed, if the user cannot be watched."
    )
    credentials_hash: str | None = Field(
        default=None,
        description="A salted hash of the confirmed credential, if the user cannot be watched.",
    )
    platform: str | None = Field(
        default=None, description="The uid of the AddressSpace for which it was confirmed, if it cannot be watched."
    )


class DeliveredConnection(Model):
    """The connection that stands."""

    delivery: str | None = Field(default=None, description="How it was made: native or rest.")
    name: str | None = Field(default=None, description="The name of the Connection, or of the connection in Syndesis.")
    id: str | None = Field(default=None, description="The id of the connection in Syndesis.")
    uri: str | None = Field(default=None, description="Where the connection leads; it holds no credential.")
    applied_hash: str | None = Field(
        default=None, description="A hash of what was confirmed, if the connection was made over REST."
    )
    credentials_hash: str | None = Field(
        default=None, description="A salted hash of the confirmed credential, if it was made over REST."
    )
    platform: str | None = Field(
        default=None, description="The uid of the Syndesis that confirmed it, if it was made over REST."
    )
    stored_hash: str | None = Field(
        default=None, description="A hash of the encrypted password that Syndesis stored, if it was made over REST."
    )


class Delivered(Model):
    """What was made for the pair, and how."""

    user: DeliveredUser | None = Field(default=None, description="The messaging user that stands.")
    connection: DeliveredConnection | None = Field(default=None, description="The connection that stands.")
    secret_name: str | None = Field(default=None, description="The Secret that holds the credential.")
    source: str | None = Field(
        default=None,
        description="How the AddressSpace was read: crd (watched), aggregated (polled) or configmap.",
    )


class IntegrationStatus(Model):
    """What the operator found and did. Written by the operator alone."""

    phase: Literal["", "accepted", "integrating", "complete"] | None = Field(
        default=None,
        description=(
            "How far the pair is, in the words of the proof of concept: empty before anything is known, accepted when "
            "the pair is offered, integrating while it is being made, complete when it can be used. The conditions say "
            "more."
        ),
    )
    status_message: str | None = Field(default=None, description="The message of the condition Ready.")
    meta_data: dict[str, str] | None = Field(
        default=None,
        json_schema_extra={"nullable": True},
        description="msgHost: the host of the messaging endpoint. The proof of concept wrote realm and connectionID.",
    )
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this status was computed from."
    )
    conditions: tuple[Condition, ...] = Field(
        default=(),
        json_schema_extra=list_by("type"),
        description=(
            "Ready sums up the others: Paired (the pair is allowed), CredentialsReady (the Secret holds the "
            "credential), UserReady (the user can log in) and ConnectionReady (Syndesis has the connection)."
        ),
    )
    delivered: Delivered | None = Field(default=None, description="What was made for the pair, and how.")


class Integration(Model):
    """Offers the messaging of one AddressSpace to one Syndesis as a connection.

    The operator writes one for each pair that may be made, with enabled false. Once enabled, the operator makes a
    messaging user and a connection, keeps both up to date, and removes both when the Integration is disabled or
    deleted.
    """

    model_config = ConfigDict(
        json_schema_extra=rules(
            (
                "!has(oldSelf.spec) || has(self.spec) || !(has(oldSelf.spec.addressSpaceRef)"
                " || (has(oldSelf.spec.client) && oldSelf.spec.client != ''))",
                SPEC_KEPT,
            ),
        )
    )

    metadata: dict[str, Any] = Field(default_factory=dict)
    spec: IntegrationSpec = Field(
        default_factory=IntegrationSpec, description="What a user, or a policy, wants of the pair."
    )
    status: IntegrationStatus | None = Field(default=None, description="What the operator found and did.")
