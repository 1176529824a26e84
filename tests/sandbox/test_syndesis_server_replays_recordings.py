"""The simulated Syndesis answers as a Syndesis 1.13.2 did: each recorded request gets the recorded answer.

The recording is read from ``../shared/upstream`` beside the checkout. Each of its groups starts with a fresh database
and is sent in order, request by request; status, content type and body are compared as they are, but for the following.

* ``<epoch ms>``, ``<timestamp>`` and ``»ENC:<hex>`` stand in the recording for values that differ each time. In an
  answer, a number of the last minutes, a date and hexadecimal digits must be there. In a request they are what this
  server has answered last for a connection, as they were when it was recorded.
* The definition of the connector is cut in the recording, and the mark there says ``amqp`` for every connector. The
  answer must have the AMQP connector whole where the connection names it, else the one that it names.
* An id that the server has made is compared by its shape.
* ``build-time`` of the version is compared by its shape.
* The recorded server's address, in the one message that contains it.

The connector and the built-in connections are data, not behaviour: they are given to the server from the recording and
the connector's own file. A last test compares the reduced ones that the server has by itself.
"""

from __future__ import annotations

import json
import re
import time
from typing import Any

import aiohttp
import pytest
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer

from tests.support.syndesis_data import HEADERS, shared, without_empty

RECORDED_AT = "http://127.0.0.1:18080"
CONNECTOR = "<the connector's whole definition, id amqp>"
EXCHANGES = 88
MADE_ID = re.compile(r"i-[0-9A-Za-z-]{19}z")


def recording() -> dict[str, list[dict[str, Any]]]:
    return {group["group"]: group["steps"] for group in shared("syndesis-1.13.2-exchanges.json")["groups"]}


def recorded_built_in() -> list[dict[str, Any]]:
    """The connections of a fresh database, as the recording lists them."""
    first = recording()["list"][0]["body"]["items"]
    return [{k: v for k, v in item.items() if k not in ("connector", "board")} for item in first]


class Replay:
    """One group of the recording, sent to a server that has only its built-in connections."""

    def __init__(self, server: SyndesisServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session
        self.connector = without_empty(shared("amqp-connector.json"))
        self.last: dict[str, Any] = {}
        """What was answered last for a connection; the recorded requests send its ciphertext and dates back."""

    async def send(self, step: dict[str, Any]) -> None:
        asked = step["request"]
        headers = HEADERS | asked.get("with_headers", {})
        for name in asked.get("without_headers", ()):
            del headers[name]
        body = asked.get("body")
        data = body if isinstance(body, str) else None if body is None else json.dumps(self.filled(body))
        skipped = ["Accept", "Content-Type"]
        async with self.session.request(
            asked["method"], self.server.url + asked["path"], data=data, headers=headers, skip_auto_headers=skipped
        ) as response:
            text = await response.text()
        where = f"{asked['method']} {asked['path']}"
        assert response.status == step["status"], f"{where}: {text}"
        assert response.headers.get("Content-Type") == step.get("content_type"), where
        if "body" not in step:
            assert text == "", where
        elif isinstance(step["body"], str):
            assert text == step["body"], where
        else:
            answer = json.loads(text)
            self.remember(answer)
            assert self.normal(answer, step["body"]) == step["body"], where

    def remember(self, answer: Any) -> None:
        if isinstance(answer, dict) and "configuredProperties" in answer and "id" in answer:
            self.last = answer

    def filled(self, sent: Any) -> Any:
        """The request's body with the values that this server has answered."""
        text = json.dumps(sent, ensure_ascii=False)
        if "<" not in text:
            return sent
        ciphertext = self.last["configuredProperties"].get("password")
        text = text.replace("»ENC:<hex>", ciphertext)
        return json.loads(text.replace('"<epoch ms>"', str(self.last["lastUpdated"])))

    def normal(self, answer: Any, recorded: Any) -> Any:
        """The answer with the recording's own placeholder wherever the value is one that the placeholder allows."""
        if isinstance(answer, dict) and isinstance(recorded, dict):
            shown = {name: self.normal(value, recorded.get(name)) for name, value in answer.items()}
            if recorded.get("connector") == CONNECTOR and self.is_definition(answer):
                shown["connector"] = CONNECTOR
            return shown
        if isinstance(answer, list) and isinstance(recorded, list) and len(answer) == len(recorded):
            return [self.normal(*pair) for pair in zip(answer, recorded, strict=True)]
        return recorded if is_like(answer, recorded, self.server.url) else answer

    def is_definition(self, answer: dict[str, Any]) -> bool:
        """Whether the connector in the answer is the one that the connection names, and whole."""
        connector = answer.get("connector")
        if answer["connectorId"] == "amqp":
            return bool(connector == self.connector)
        return isinstance(connector, dict) and connector["id"] == answer["connectorId"]


def is_like(answer: Any, recorded: Any, url: str) -> bool:
    """Whether the recording's value allows for this one."""
    if recorded == "<epoch ms>":
        return isinstance(answer, int) and abs(answer - time.time() * 1000) < 600_000
    if not isinstance(answer, str) or not isinstance(recorded, str):
        return False
    if recorded == "<timestamp>":
        return re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:?\d\d", answer) is not None
    if recorded == "»ENC:<hex>":
        return re.fullmatch(r"»ENC:[0-9a-f]{64,}", answer) is not None
    if re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}", recorded):
        return re.fullmatch(r"\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}", answer) is not None
    if MADE_ID.fullmatch(recorded):
        return MADE_ID.fullmatch(answer) is not None
    return answer.replace(url, RECORDED_AT) == recorded


GROUPS = (
    "version needs no authentication",
    "headers",
    "create and read",
    "create refused",
    "create accepted that should worry",
    "list",
    "put",
    "patch",
    "public properties",
    "validation",
    "verifier without its meta service",
    "delete",
    "delete with an underscore takes a sibling along",
    "connectors",
)


def test_every_exchange_is_replayed() -> None:
    groups = recording()
    assert tuple(groups) == GROUPS
    assert sum(map(len, groups.values())) == EXCHANGES


@pytest.mark.parametrize("group", GROUPS)
async def test_answers_are_the_recorded_ones(group: str) -> None:
    steps = recording()[group]
    given = [shared("amqp-connector.json")]
    async with (
        SyndesisServer.running(connectors=given, built_in=recorded_built_in()) as server,
        aiohttp.ClientSession() as session,
    ):
        replay = Replay(server, session)
        for step in steps:
            await replay.send(step)
        assert [request.status for request in server.requests] == [step["status"] for step in steps]


async def test_reduced_data_agrees_with_the_recorded() -> None:
    """What the server has by itself lacks only words and fields, but what it has is right."""
    async with SyndesisServer.running() as server, aiohttp.ClientSession(headers=HEADERS) as session:
        async with session.get(f"{server.url}/api/v1/connections") as response:
            listed = (await response.json())["items"]
        async with session.get(f"{server.url}/api/v1/connectors/amqp") as response:
            reduced = await response.json()
    decisive = ("id", "name", "connectorId", "icon", "tags", "metadata", "isDerived", "uses")
    assert [{field: item.get(field) for field in decisive} for item in listed] == [
        {field: item.get(field) for field in decisive} for item in recorded_built_in()
    ]
    whole = without_empty(shared("amqp-connector.json"))
    scalars = ("id", "name", "icon", "componentScheme", "connectorFactory", "tags")
    assert {field: reduced[field] for field in scalars} == {field: whole[field] for field in scalars}
    assert reduced["properties"].keys() == whole["properties"].keys()
    for name, definition in reduced["properties"].items():
        assert definition.items() <= whole["properties"][name].items(), name
    assert {action["id"] for action in reduced["actions"]} == {action["id"] for action in whole["actions"]}
