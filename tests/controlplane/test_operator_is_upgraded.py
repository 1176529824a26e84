"""An operator that starts on what an earlier version left changes no credential.

It updates the status, and adds to each Secret the entries of the Service Binding specification, by one write.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import Document, condition, decoded, reason
from tests.support.earlier_operator import check_out, earlier_operator
from tests.support.recorded_state import STATES, content, record, restore
from tests.support.world import World

NAMESPACES = ("recorded-shop", "recorded-fuse")
STATUS, SECRET = "patch integrations/status", "patch secrets"
ADDED = frozenset({"type", "provider", "host", "port", "uri", "certificates"})
"""The entries of a Secret that the recorded version did not write."""


@pytest.mark.parametrize("state", sorted(STATES.glob("*.json")), ids=lambda path: path.stem)
async def test_on_what_an_earlier_version_left(world: World, syndesis_server: SyndesisServer, state: Path) -> None:
    await world.ensure_namespaces(*NAMESPACES)
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
            writes = world.audit.writes()
            assert set(writes) <= {STATUS, SECRET}, "messages may have changed, and Secrets got entries"
            assert writes.count(SECRET) == len(generated_secrets(recorded))
            assert writes.count(STATUS) <= 2 * len(integrations_of(recorded))
            assert world.audit.events_posted() == 0
            assert len(syndesis_server.requests) == requests
            after = await record(world, syndesis_server, NAMESPACES)
            assert list(map(unreported, after["objects"])) == list(map(unreported, before["objects"]))
            assert all(secret["data"].keys() >= ADDED for secret in generated_secrets(after))
            assert list(map(uid, after["objects"])) == list(map(uid, before["objects"]))
            assert after["connections"] == before["connections"]
            await goes_on(world, after)


async def test_and_back_again(world: World, syndesis_server: SyndesisServer, tmp_path: Path) -> None:
    """The earlier version starts on what this one has left, credentials rotated, and then this one again.

    It does not know rotation and removes the record of the requests, so that the annotation is removed first.
    """
    (state,) = STATES.glob("*.json")
    sources = check_out(state.stem, tmp_path)
    await world.ensure_namespaces(*NAMESPACES)
    await restore(world, json.loads(state.read_text()), syndesis_server)
    async with world.platforms():
        async with world.operator(syndesis_url=syndesis_server.url):
            await rotate_all(world)
            for integration in await world.items("Integration"):
                ref = Ref(integration["metadata"]["namespace"], integration["metadata"]["name"])
                await world.patch("Integration", ref, {"metadata": {"annotations": {names.ROTATE: None}}})
            await world.audit.quiet(seconds=2)
        left = await record(world, syndesis_server, NAMESPACES)
        world.audit.mark()
        async with earlier_operator(world, sources, "--syndesis-url", syndesis_server.url):
            await world.audit.quiet(seconds=2)
        assert set(world.audit.writes()) <= {STATUS, SECRET}, "the earlier version does not know all entries"
        earlier = await record(world, syndesis_server, NAMESPACES)
        assert logins(earlier) == logins(left)
        assert list(map(uid, earlier["objects"])) == list(map(uid, left["objects"]))
        assert earlier["connections"] == left["connections"]
        world.audit.mark()
        async with world.operator(syndesis_url=syndesis_server.url):
            await world.audit.quiet(seconds=2)
            assert set(world.audit.writes()) <= {STATUS, SECRET}
            now = await record(world, syndesis_server, NAMESPACES)
            assert logins(now) == logins(left)
            assert list(map(uid, now["objects"])) == list(map(uid, left["objects"]))
            assert now["connections"] == left["connections"]
            await goes_on(world, now)


def logins(state: Document) -> dict[tuple[str, str, str], Any]:
    """Return all credentials, by the object that has them."""
    found: dict[tuple[str, str, str], Any] = {}
    for item in state["objects"]:
        if item["kind"] == "Secret":
            found[name(item)] = {key: item["data"][key] for key in ("username", "password")}
        elif item["kind"] == "MessagingUser":
            found[name(item)] = (item["spec"]["username"], item["spec"]["authentication"])
        elif item["kind"] == "Connection":
            found[name(item)] = item["spec"]
    return found


async def goes_on(world: World, state: Document) -> None:
    """Check that the pairs are alive: credentials are rotated, and disabled pairs are taken down."""
    await rotate_all(world)
    for integration in integrations_of(state):
        ref = Ref(integration["metadata"]["namespace"], integration["metadata"]["name"])
        await world.patch("Integration", ref, {"spec": {"enabled": False}})

    async def only_their_own() -> bool:
        secrets = await world.items("Secret")
        users = await world.items("MessagingUser")
        return not users and [secret["metadata"]["name"] for secret in secrets] == ["own"]

    await world.eventually("everything is taken down", only_their_own)


async def rotate_all(world: World) -> None:
    """Rotate the credentials of all pairs that are Ready, and that the operator has generated."""
    ready = [integration for integration in await world.items("Integration") if reason(integration) == "Ready"]
    assert len(ready) == 3
    for integration in ready:
        ref = Ref(integration["metadata"]["namespace"], integration["metadata"]["name"])
        secret_ref = Ref(ref.namespace, integration["status"]["delivered"]["secretName"])
        if secret_ref.name == "own":
            continue
        secret = await world.get("Secret", secret_ref)
        assert secret is not None
        request = {"annotations": {names.ROTATE: secret["metadata"]["resourceVersion"]}}
        await world.patch("Integration", ref, {"metadata": request, "spec": {"rotation": {"overlap": "0s"}}})
        await rotated(world, ref, decoded(secret)["password"])


async def rotated(world: World, ref: Ref, password: str) -> None:
    async def done() -> bool:
        integration = await world.get("Integration", ref)
        assert integration is not None
        secret = await world.get("Secret", Ref(ref.namespace, integration["status"]["delivered"]["secretName"]))
        changed = secret is not None and decoded(secret)["password"] != password
        return changed and condition(integration, "Rotating").get("reason") == "Rotated"

    await world.eventually(f"{ref} is rotated", done)


def name(item: Document) -> tuple[str, str, str]:
    return item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]


def integrations_of(state: Document) -> list[Document]:
    return [item for item in state["objects"] if item["kind"] == "Integration"]


def generated_secrets(state: Document) -> list[Document]:
    """Return the Secrets that the operator has generated."""
    return [item for item in state["objects"] if item["kind"] == "Secret" and item["metadata"]["name"] != "own"]


def unreported(item: Document) -> Document:
    """Return what an object says, without the status of an Integration and the added entries of a Secret."""
    said = content(item)
    if item["kind"] == "Secret":
        return {**said, "data": {key: value for key, value in said["data"].items() if key not in ADDED}}
    return {key: value for key, value in said.items() if key != "status" or item["kind"] != "Integration"}


def uid(item: Document) -> str:
    return str(item["metadata"]["uid"])
