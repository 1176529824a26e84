"""An operator that starts on what an earlier version left updates the status at most, and changes no credential."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from integration_operator.api import names
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import Document, condition, decoded, reason
from tests.support.recorded_state import STATES, content, record, restore
from tests.support.world import World

NAMESPACES = ("recorded-shop", "recorded-fuse")
STATUS = "patch integrations/status"


@pytest.mark.parametrize("state", sorted(STATES.glob("*.json")), ids=lambda path: path.stem)
async def test_on_what_an_earlier_version_left(world: World, syndesis_server: SyndesisServer, state: Path) -> None:
    for namespace in NAMESPACES:
        await world.kubectl.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
    recorded = json.loads(state.read_text())
    await restore(world, recorded, syndesis_server)
    before = await record(world, syndesis_server, NAMESPACES)
    assert {name(item) for item in before["objects"]} == {name(item) for item in recorded["objects"]}
    assert before["connections"] == recorded["connections"]
    requests = len(syndesis_server.requests)
    async with world.platforms():
        world.audit.mark()
        async with world.operator(syndesis_url=syndesis_server.url):
            await world.audit.quiet(seconds=2)
            assert set(world.audit.writes()) <= {STATUS}, "messages may have changed, and nothing else"
            assert len(world.audit.writes()) <= len(integrations_of(recorded))
            assert world.audit.events_posted() == 0
            assert len(syndesis_server.requests) == requests
            after = await record(world, syndesis_server, NAMESPACES)
            assert list(map(unreported, after["objects"])) == list(map(unreported, before["objects"]))
            assert list(map(uid, after["objects"])) == list(map(uid, before["objects"]))
            assert after["connections"] == before["connections"]
            await goes_on(world, after)


async def goes_on(world: World, state: Document) -> None:
    """Check that the pairs are alive: a credential is rotated, and a disabled pair is taken down."""
    ready = [integration for integration in integrations_of(state) if reason(integration) == "Ready"]
    assert len(ready) == 3
    for integration in ready:
        ref = Ref(integration["metadata"]["namespace"], integration["metadata"]["name"])
        secret_ref = Ref(ref.namespace, integration["status"]["delivered"]["secretName"])
        secret = await world.get("Secret", secret_ref)
        assert secret is not None
        if secret_ref.name != "own":
            request = {"annotations": {names.ROTATE: "now"}}
            await world.patch("Integration", ref, {"metadata": request, "spec": {"rotation": {"overlap": "0s"}}})
            await rotated(world, ref)
            now = await world.get("Secret", secret_ref)
            assert now is not None
            assert decoded(now)["password"] != decoded(secret)["password"]
        await world.patch("Integration", ref, {"spec": {"enabled": False}})

    async def only_their_own() -> bool:
        secrets = await world.items("Secret")
        users = await world.items("MessagingUser")
        return not users and [secret["metadata"]["name"] for secret in secrets] == ["own"]

    await world.eventually("everything is taken down", only_their_own)


async def rotated(world: World, ref: Ref) -> None:
    async def done() -> bool:
        integration = await world.get("Integration", ref)
        return integration is not None and condition(integration, "Rotating").get("reason") == "Rotated"

    await world.eventually(f"{ref} is rotated", done)


def name(item: Document) -> tuple[str, str, str]:
    return item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]


def integrations_of(state: Document) -> list[Document]:
    return [item for item in state["objects"] if item["kind"] == "Integration"]


def unreported(item: Document) -> Document:
    """Return what an object says, without the status of an Integration."""
    said = content(item)
    return {key: value for key, value in said.items() if key != "status" or item["kind"] != "Integration"}


def uid(item: Document) -> str:
    return str(item["metadata"]["uid"])
