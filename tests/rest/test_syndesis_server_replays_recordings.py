"""Our stand-in for Syndesis's server answers as a real 1.13.2 did: 88 recorded requests, replayed in order.

Status and body are compared whole. Taken as equal are only values that cannot be: what the recording itself writes as
``<…>`` (times, ciphertexts, a connector's whole definition), an id that the server made up, the server's own address,
when it was built, and what Java's JSON parser says behind the name of its exception.
"""

from __future__ import annotations

import json
import re
from typing import Any

import aiohttp
import pytest
from beside import shared

from integration_operator.localcluster.syndesis_server import SyndesisServer

RECORDINGS = "upstream/syndesis-1.13.2-exchanges.json"
GENERATED = re.compile(r"^i-[A-Za-z0-9-]+z$")
PARSER = re.compile(r"^(com\.fasterxml\.jackson\.[A-Za-z.]+Exception: (configuredProperties value)?).*", re.DOTALL)
DEFAULT = {
    "X-Forwarded-User": "developer",
    "X-Forwarded-Access-Token": "none",
    "SYNDESIS-XSRF-TOKEN": "awesome",
    "Content-Type": "application/json",
    "Accept": "application/json",
}


def groups() -> list[Any]:
    recorded = shared(RECORDINGS)
    if recorded is None:
        return []
    found = json.loads(recorded.read_text())["groups"]
    assert sum(len(group["steps"]) for group in found) == 88
    return [pytest.param(group, id=group["group"]) for group in found]


def test_the_recordings_are_there() -> None:
    if shared(RECORDINGS) is None:
        pytest.skip("the recordings are not beside this checkout")


@pytest.mark.parametrize("group", groups())
async def test_replay(group: dict[str, Any]) -> None:
    answered: dict[str, dict[str, Any]] = {}
    async with SyndesisServer.running() as server, aiohttp.ClientSession() as session:
        for number, step in enumerate(group["steps"], 1):
            wanted = step["request"]
            headers = {**DEFAULT, **wanted.get("with_headers", {})}
            for name in wanted.get("without_headers", ()):
                del headers[name]
            body = wanted.get("body")
            text = body if isinstance(body, str) else json.dumps(filled(body, answered)) if body is not None else None
            url = server.url + wanted["path"]
            async with session.request(
                wanted["method"], aiohttp.client.URL(url, encoded=True), data=text, headers=headers
            ) as response:
                raw = await response.text()
                found = json.loads(raw) if response.content_type == "application/json" and raw else raw or None
                where = f"{group['group']}, step {number}: {wanted['method']} {wanted['path']}"
                assert response.status == step["status"], f"{where}: {raw}"
                if step.get("content_type"):
                    assert response.content_type == step["content_type"].split(";")[0], where
                recorded = step.get("body")
                assert comparable(found, recorded) == comparable(recorded, recorded), where
            if isinstance(found, dict) and "id" in found:
                answered[found["id"]] = found


def filled(body: Any, answered: dict[str, dict[str, Any]]) -> Any:
    """A recorded body with what stood where the recording says ``<…>``: the values that the server gave out."""
    known = answered.get(body.get("id", ""), next(iter(answered.values()), {})) if isinstance(body, dict) else {}
    return _filled(body, known)


def _filled(node: Any, known: Any) -> Any:
    if isinstance(node, dict):
        return {key: _filled(value, known.get(key) if isinstance(known, dict) else None) for key, value in node.items()}
    return known if isinstance(node, str) and "<" in node and known is not None else node


def comparable(node: Any, recorded: Any) -> Any:
    """A body without what cannot be equal: ``recorded`` says where that is."""
    if isinstance(recorded, str) and "<" in recorded and ">" in recorded:
        assert node not in (None, ""), f"there is nothing where {recorded} is recorded"
        if "ENC" in recorded:
            assert str(node).startswith("»ENC:"), "what is recorded as a ciphertext is one"
        return "(not compared)"
    if isinstance(node, dict) and isinstance(recorded, dict):
        return {key: comparable(value, recorded.get(key)) for key, value in node.items() if key != "build-time"}
    if isinstance(node, list) and isinstance(recorded, list) and len(node) == len(recorded):
        return [comparable(*pair) for pair in zip(node, recorded, strict=True)]
    if isinstance(node, str):
        node = re.sub(r"http://127\.0\.0\.1:\d+", "http://(server)", PARSER.sub(r"\1", node))
        return "(generated)" if GENERATED.match(node) else node
    return node
