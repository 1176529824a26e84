"""The ``Integration`` kind: a pair of AddressSpace and Syndesis, offered to be enabled.

Its first fields are the proof of concept's and keep their meaning; an object that it made validates unchanged. The schema has
no defaults: what a person leaves out is filled in by the operator under its own field manager, so that the two are told apart.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from integration_operator.api import names
from integration_operator.api.schema import structural

GROUP, VERSION, KIND, PLURAL = "integreatly.org", "v1alpha1", "Integration", "integrations"

Document = dict[str, Any]


def rule(expression: str, message: str) -> Document:
    """A CEL rule with the message that a person gets."""
    return {"rule": expression, "message": message}


def rules(*found: Document) -> Document:
    """CEL rules as an extension of a schema."""
    return {"x-kubernetes-validations": list(found)}


class Model(BaseModel):
    """A part of a kind: camelCase on the wire, unknown fields dropped as the API server drops them."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


NamespaceName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")]
Duration = Annotated[str, Field(max_length=32, pattern=r"^([0-9]+h)?([0-9]+m)?([0-9]+s)?$")]


class AddressSpaceRef(Model):
    """Which AddressSpace."""

    namespace: NamespaceName = Field(description="Namespace of the AddressSpace.")
    name: ObjectName = Field(description="Name of the AddressSpace.")


class DeliveryChoice(Model):
    """How each side is made."""

    user: Literal["auto", "native", "keycloak"] | None = Field(
        None, description="How the messaging user is made: native is a MessagingUser resource. auto (the default) chooses."
    )
    connection: Literal["auto", "native", "rest"] | None = Field(
        None, description="How the connection is made: native is a Connection resource. auto (the default) chooses."
    )


class AuthorizationRule(Model):
    """What the user may do on which addresses, as in a MessagingUser."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!self.operations.exists(o, o == 'send' || o == 'recv') || (has(self.addresses) && size(self.addresses) > 0)",
                "send and recv need addresses: list them, or '*' for all",
            )
        )
    )

    operations: list[Literal["send", "recv", "view", "manage"]] = Field(
        description="What is allowed.",
        min_length=1,
        max_length=4,
        json_schema_extra={"x-kubernetes-list-type": "set"},
    )
    addresses: list[Annotated[str, Field(min_length=1, max_length=1024)]] | None = Field(
        None, description="The addresses it is allowed on; '*' is every address.", max_length=64
    )


class SecretRef(Model):
    """A Secret of yours in the Integration's namespace."""

    name: ObjectName = Field(
        description=f"Name of the Secret. It needs the label {names.INTEGRATION_LABEL} (any value): "
        "the operator reads no Secret without it."
    )
    username_key: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(
        None, description="Key of the user name; 'username' if left out."
    )
    password_key: Annotated[str, Field(min_length=1, max_length=253)] | None = Field(
        None, description="Key of the password; 'password' if left out."
    )


class Rotation(Model):
    """When the credential is replaced."""

    every: Duration | None = Field(None, description="Age at which the credential is replaced, such as 720h.")
    overlap: Duration | None = Field(None, description="How long the old one keeps working, such as 1h.")


class IntegrationSpec(Model):
    """What is wanted for a pair."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "!has(oldSelf.addressSpaceRef) || (has(self.addressSpaceRef) && "
                "self.addressSpaceRef == oldSelf.addressSpaceRef)",
                "spec.addressSpaceRef cannot be changed once set: delete the Integration and write a new one",
            ),
            rule(
                "!has(oldSelf.client) || oldSelf.client == '' || (has(self.client) && self.client == oldSelf.client)",
                "spec.client cannot be changed once set: delete the Integration and write a new one",
            ),
        )
    )

    service_provider: Literal["fuse", ""] | None = Field(None, description="What uses the messages: fuse, which is Syndesis.")
    integration_type: Literal["amqp", ""] | None = Field(None, description="How: amqp.")
    client: Annotated[str, Field(max_length=253)] | None = Field(
        None, description="Name of the Syndesis, in the Integration's namespace; the only one there if left out."
    )
    enabled: bool | None = Field(None, description="Whether user and connection are made. Yours to set.")
    service: Annotated[str, Field(max_length=253)] | None = Field(
        None, description="Written by the proof of concept; not used."
    )
    address_space_ref: AddressSpaceRef | None = Field(
        None, description="The AddressSpace. Set by the operator where only one can be meant; cannot be changed."
    )
    delivery: DeliveryChoice | None = Field(None, description="How each side is made.")
    tls: Literal["auto", "required", "disabled"] | None = Field(
        None,
        description="auto (the default) uses TLS where the AddressSpace shows a TLS port and its CA; "
        "required never connects without; disabled never connects with.",
    )
    authorization: Annotated[list[AuthorizationRule], Field(max_length=32)] | None = Field(
        None, description="What the user may do; send and recv on every address if left out."
    )
    credentials_secret_ref: SecretRef | None = Field(
        None, description="A credential of your own instead of a generated one; changes of the Secret are followed."
    )
    rotation: Rotation | None = Field(None, description="When the credential is replaced.")
    deletion_policy: Literal["Delete", "Retain"] | None = Field(
        None,
        description="Retain leaves user, connection and Secret when the Integration is deleted. Delete is the default.",
    )
    suspend: bool | None = Field(None, description="While true, nothing is made, changed or removed.")


class Condition(Model):
    """A ``metav1.Condition``."""

    type: Annotated[str, Field(max_length=316)] = Field(description="What it is about.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[str, Field(max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")] = Field(
        description="Why, for programs."
    )
    message: Annotated[str, Field(max_length=32768)] = Field(description="Why, for people.")
    last_transition_time: str = Field(
        description="When the status last changed.", json_schema_extra={"format": "date-time"}
    )
    observed_generation: int | None = Field(
        None, description="The generation it was computed for.", json_schema_extra={"format": "int64", "minimum": 0}
    )


class DeliveredUser(Model):
    """The messaging user that stands for the pair."""

    delivery: str = Field(description="How it was made.")
    namespace: str = Field(description="Namespace of the MessagingUser.")
    name: str = Field(description="Name of the MessagingUser.")
    username: str | None = Field(None, description="The name that logs in.")


class DeliveredConnection(Model):
    """The connection that stands for the pair."""

    delivery: str = Field(description="How it was made.")
    name: str = Field(description="Name of the Connection.")
    id: str | None = Field(None, description="Its id in Syndesis.")


class Delivered(Model):
    """What was delivered and how."""

    user: DeliveredUser | None = Field(None, description="The messaging user.")
    connection: DeliveredConnection | None = Field(None, description="The connection.")
    secret_name: str | None = Field(None, description="The Secret with the credential.")


class IntegrationStatus(Model):
    """What was found and done."""

    phase: Literal["", "accepted", "integrating", "complete"] | None = Field(
        None, description="accepted: offered. integrating: being delivered. complete: both sides are ready."
    )
    status_message: str | None = Field(None, description="The message of the condition Ready.")
    meta_data: dict[str, str] | None = Field(
        None, description="msgHost, realm and connectionID.", json_schema_extra={"nullable": True}
    )
    observed_generation: int | None = Field(
        None, description="The generation that was last looked at.", json_schema_extra={"format": "int64"}
    )
    conditions: list[Condition] | None = Field(
        None,
        description="Ready, Paired, CredentialsReady, UserReady, ConnectionReady.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    )
    delivered: Delivered | None = Field(None, description="What was delivered and how.")


def custom_resource_definition() -> Document:
    """The CustomResourceDefinition of the kind."""
    ready = '.status.conditions[?(@.type=="Ready")]'
    columns = [
        ("AddressSpace", "string", ".spec.addressSpaceRef.name"),
        ("Syndesis", "string", ".spec.client"),
        ("Enabled", "boolean", ".spec.enabled"),
        ("Phase", "string", ".status.phase"),
        ("Ready", "string", f"{ready}.status"),
        ("Reason", "string", f"{ready}.reason"),
        ("Age", "date", ".metadata.creationTimestamp"),
    ]
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": "integration",
                "shortNames": ["itg"],
                "categories": ["integreatly"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "additionalPrinterColumns": [
                        {"name": name, "type": type_, "jsonPath": path} for name, type_, path in columns
                    ],
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "description": "A pair of AddressSpace and Syndesis: enable it to have a messaging user "
                            "and a connection made and kept.",
                            "required": ["spec"],
                            "properties": {
                                "spec": structural(IntegrationSpec),
                                "status": structural(IntegrationStatus),
                            },
                        }
                    },
                }
            ],
        },
    }
