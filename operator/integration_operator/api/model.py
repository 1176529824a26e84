"""What the models of both kinds share, and how a model says what only its CustomResourceDefinition can check.

A model is read from what the API server stored, so it is lenient where the schema is: an unknown field is ignored, and
an absent one is None. Names are camelCase in documents and snake_case in Python.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
DATA_KEY = r"^[-._a-zA-Z0-9]+$"

NamespaceName = Annotated[str, Field(min_length=1, max_length=63, pattern=DNS_LABEL)]
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
DataKey = Annotated[str, Field(min_length=1, max_length=253, pattern=DATA_KEY)]
"""A key of a Secret or ConfigMap."""
Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339; kept as the text it is, because nothing here computes with it."""

Extra = dict[str, JsonValue]


def rules(*pairs: tuple[str, str]) -> Extra:
    """Rules in CEL, each with the message for users who break it.

    Only what every API server with CEL knows is used: no fieldPath, no optional fields (`self.?name`).
    """
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


SERVER_DEFAULT = "server-default"
"""In the extra of a field: the value that the API server puts if nobody wrote one. No field manager owns it, so that
whoever writes the field first meets no conflict."""

LIST_AS_SET: Extra = {"x-kubernetes-list-type": "set"}


def list_by(key: str) -> Extra:
    """A list whose items are told apart by one of their fields, so that two field managers can each own some."""
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [key]}


class Model(BaseModel):
    """A part of a document."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True
    )


class Condition(Model):
    """One aspect of the state of the object, as in metav1.Condition."""

    type: str = Field(
        max_length=316,
        pattern=(
            r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
            r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
        ),
        description="Which aspect this is, in CamelCase.",
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="Why, as one word for programs.",
    )
    message: str = Field(max_length=32768, description="Why, for people, with what to do about it.")
    last_transition_time: Time = Field(description="When the status changed last.")
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that this condition was computed from."
    )
