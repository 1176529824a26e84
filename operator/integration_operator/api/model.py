"""The base of the models of both kinds, and extensions for their CustomResourceDefinitions.

A model parses stored objects, so it is as lenient as the schema: an unknown field is ignored, an absent one is None.
Names are camelCase in documents and snake_case in Python.
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
"""RFC 3339 text, which is not parsed."""

Extra = dict[str, JsonValue]


def rules(*pairs: tuple[str, str]) -> Extra:
    """Return validation rules in CEL, each with its message.

    They use only features of every API server with CEL: no fieldPath, no optional fields (`self.?name`).
    """
    return {"x-kubernetes-validations": [{"rule": rule, "message": message} for rule, message in pairs]}


SERVER_DEFAULT = "server-default"
"""In the extra of a field: the default that the API server sets. No field manager owns it, so the first write of the
field has no conflict."""

NOT_OBSERVED: Extra = {SERVER_DEFAULT: {"observedGeneration": -1}}
"""The default of a status. kstatus, and so Flux, takes an object without a status for one that is as desired."""

LIST_AS_SET: Extra = {"x-kubernetes-list-type": "set"}


def list_by(key: str) -> Extra:
    """Return the extension of a list with a key field, so that field managers own single items."""
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
        description="Type of the condition in CamelCase.",
    )
    status: Literal["True", "False", "Unknown"] = Field(description="Status of the condition.")
    reason: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="Reason for the status, one word in CamelCase.",
    )
    message: str = Field(max_length=32768, description="Explanation for users, with the next step.")
    last_transition_time: Time = Field(description="Time of the last change of the status.")
    observed_generation: int | None = Field(
        default=None, ge=0, description="The metadata.generation that the condition was computed from."
    )
