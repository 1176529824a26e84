"""The answers of Syndesis's REST API, as far as the operator reads them.

A tenant runs the server, so each answer is validated before anything else reads it. A connection stays a document after
that: a PUT loses every field that is left out.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StrictBool,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

T = TypeVar("T")

EMPTY_AS_ABSENT = BeforeValidator(lambda value: value or None)
"""Syndesis writes an empty list or mapping, or nothing."""


def _or_none(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    try:
        return validate(value)
    except ValidationError:
        return None


Lenient = Annotated[T | None, WrapValidator(_or_none)]
"""A field whose absence is safe: a value of another type reads as None, and the answer stays usable."""


class Answer(BaseModel):
    """A part of an answer. Fields that the operator does not read are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Version(Answer):
    """The answer of ``/version``."""

    version: Lenient[str] = None


class ConnectorProperty(Answer):
    """The definition of a property; ``secret`` properties are stored encrypted."""

    secret: Lenient[StrictBool] = None


class Connector(Answer):
    """The definition of a connector."""

    properties: Lenient[dict[str, Lenient[ConnectorProperty]]] = None
    icon: Lenient[str] = None


class StoredConnection(Answer):
    """A connection as the server stores it."""

    id: str
    name: str = ""
    tags: Annotated[list[str] | None, EMPTY_AS_ABSENT] = None
    configuredProperties: Annotated[dict[str, Any] | None, EMPTY_AS_ABSENT] = None  # noqa: N815  the API's name
    metadata: Annotated[dict[str, Any] | None, EMPTY_AS_ABSENT] = None


class ConnectionPage(Answer):
    """A page of connections; ``items`` is absent if it is empty."""

    items: list[dict[str, Any]] = []


class VerifierError(Answer):
    """An error that the verifier found."""

    code: Lenient[str] = None
    description: Lenient[str] = None


class VerifierResult(Answer):
    """The result of one check of the verifier: OK, ERROR or UNSUPPORTED."""

    status: Lenient[str] = None
    errors: Lenient[list[Lenient[VerifierError]]] = None


VERSION = TypeAdapter(Version)
CONNECTOR = TypeAdapter(Connector)
CONNECTION = TypeAdapter(StoredConnection)
CONNECTION_PAGE = TypeAdapter(ConnectionPage)
VERIFIER_RESULTS = TypeAdapter(list[VerifierResult])
