"""The simulated Syndesis's answers have the published shapes, except where Syndesis does not keep to them itself.

The schemas are read from ``../shared/upstream`` beside the checkout. A field that the schema does not know is as wrong
here as one of another type; what deviates on purpose is listed, and nothing else may.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer

from tests.support.syndesis_data import HEADERS, shared

TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}

DATES = {"Connection.createdDate is not a string", "Connection.lastUpdated is not a string"}
"""Milliseconds since 1970, as in the recording."""
DERIVED = {"Connection.isDerived is not known"}
"""The schema calls it ``derived``; what is sent and answered is ``isDerived``."""
NO_ACTIONS = {"Connector.actions is missing"}
"""Whatever is empty is left out, and the built-in connectors of the simulation have no actions."""
ORDER = {"ConfigurationProperty.order is not a object"}
"""The schema shows how Java holds the number; what is answered is text."""
OWN_DEFINITION = {
    "ConfigurationProperty.defaultValue is not a string",
    "DataShape.name is missing",
}
"""The AMQP connector's own definition has truth values where the schema has text, and shapes of data without a name."""

CONNECTION = {
    "id": "one",
    "name": "one",
    "connectorId": "amqp",
    "description": "d",
    "icon": "assets:amqp.svg",
    "tags": ["t"],
    "metadata": {"managed-by": "x"},
    "options": {"o": "1"},
    "configuredProperties": {"connectionUri": "amqp://h", "password": "p"},
}
VERIFIED = [
    {"status": "OK", "scope": "PARAMETERS"},
    {
        "status": "ERROR",
        "scope": "CONNECTIVITY",
        "errors": [{"code": "ILLEGAL_PARAMETER_VALUE", "description": "d", "parameters": ["password"]}],
    },
]


class Schemas:
    """The published document, and the check of an answer against it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.paths = document["paths"]
        self.schemas = document["components"]["schemas"]

    def answer(self, method: str, path: str, status: int) -> dict[str, Any]:
        """The schema of a call's answer."""
        responses = self.paths[path][method]["responses"]
        schema: dict[str, Any] = responses.get(str(status), responses.get("default"))["content"]["application/json"]
        return schema["schema"]

    def deviations(self, schema: dict[str, Any], value: Any, where: str = "") -> Iterator[str]:
        """Where the value is not as the schema says; a connection is named alike, with and without its board."""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/components/schemas/")
            yield from self.deviations(self.schemas[name], value, name.replace("ConnectionOverview", "Connection"))
            return
        kind = schema["type"]
        if not isinstance(value, TYPES[kind]) or (kind != "boolean" and isinstance(value, bool)):
            yield f"{where} is not a {kind}"
        elif value not in schema.get("enum", [value]):
            yield f"{where} is none of the values"
        elif kind == "array":
            for item in value:
                yield from self.deviations(schema["items"], item, f"{where}[]")
        elif kind == "object" and "properties" in schema:
            yield from (f"{where}.{name} is missing" for name in schema.get("required", ()) if name not in value)
            for name, inner in value.items():
                if known := schema["properties"].get(name):
                    yield from self.deviations(known, inner, f"{where}.{name}")
                else:
                    yield f"{where}.{name} is not known"
        elif isinstance(schema.get("additionalProperties"), dict):
            for inner in value.values():
                yield from self.deviations(schema["additionalProperties"], inner, f"{where}.*")


@pytest.mark.parametrize(
    ("method", "path", "asked", "body", "status", "known"),
    [
        ("get", "/connections", "/connections", None, 200, DATES | DERIVED | NO_ACTIONS | ORDER),
        ("get", "/connections/{id}", "/connections/stored", None, 200, DATES | DERIVED | ORDER),
        ("post", "/connections", "/connections", CONNECTION, 200, DATES | DERIVED),
        ("post", "/connections/validation", "/connections/validation", CONNECTION | {"name": ""}, 400, set()),
        ("get", "/connections/{id}/bulletins", "/connections/stored/bulletins", None, 200, set()),
        ("get", "/connectors", "/connectors", None, 200, NO_ACTIONS | ORDER),
        ("get", "/connectors/{id}", "/connectors/amqp", None, 200, ORDER),
        ("post", "/connectors/{id}/verifier", "/connectors/amqp/verifier", {"password": "p"}, 200, set()),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_answers_have_the_published_shape(
    syndesis_server: SyndesisServer, method: str, path: str, asked: str, body: Any, status: int, known: set[str]
) -> None:
    schemas = Schemas(shared("syndesis-openapi-1.15.json"))
    dates = {"createdDate": 1_600_000_000_000, "lastUpdated": 1_600_000_000_000, "userId": "developer", "uses": 2}
    syndesis_server.put_stored(CONNECTION | dates | {"id": "stored", "name": "stored"})
    syndesis_server.verifier_answer = VERIFIED
    async with (
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.request(method, f"{syndesis_server.url}/api/v1{asked}", json=body) as response,
    ):
        assert response.status == status
        answer = await response.json()
    assert answer
    assert set(schemas.deviations(schemas.answer(method, path, status), answer)) == known


async def test_the_whole_amqp_connector_has_the_published_shape() -> None:
    schemas = Schemas(shared("syndesis-openapi-1.15.json"))
    async with (
        SyndesisServer.running(connectors=[shared("amqp-connector.json")]) as server,
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.get(f"{server.url}/api/v1/connectors/amqp") as response,
    ):
        answer = await response.json()
    found = set(schemas.deviations(schemas.answer("get", "/connectors/{id}", 200), answer))
    assert found == ORDER | OWN_DEFINITION


def test_the_check_finds_what_is_wrong() -> None:
    schemas = Schemas(shared("syndesis-openapi-1.15.json"))
    wrong = {"uses": "1", "tags": "t", "metadata": {"a": 1}, "nobody": 1}
    assert set(schemas.deviations({"$ref": "#/components/schemas/Connection"}, wrong)) == {
        "Connection.name is missing",
        "Connection.uses is not a integer",
        "Connection.tags is not a array",
        "Connection.metadata.* is not a string",
        "Connection.nobody is not known",
    }
