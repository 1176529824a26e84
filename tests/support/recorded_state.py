"""The objects that an operator left in a cluster: recorded to a file, and put back with their field managers.

tools/record_state.py records the state that a version of the operator makes. A test puts it back, so that a later
version starts on what the earlier one has left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import Document, path
from tests.support.world import World

KINDS = ("AddressSpace", "Syndesis", "Integration", "Secret", "MessagingUser", "Connection")
"""In the order in which they are put back: owners first."""

STATES = Path(__file__).parent / "states"
WITH_STATUS = ("Syndesis", "Integration", "MessagingUser", "Connection")
SERVER_FIELDS = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink")


async def record(world: World, server: SyndesisServer, namespaces: Iterable[str]) -> Document:
    """Return all objects of the namespaces, and the connections of a Syndesis server."""
    objects = []
    for kind in KINDS:
        for namespace in namespaces:
            for item in await world.items(kind, namespace):
                root = path(kind).rpartition("/")[0]
                version = root.removeprefix("/apis/").removeprefix("/api/")
                objects.append({**item, "apiVersion": version, "kind": kind})
    return {"objects": objects, "connections": list(server.stored().values())}


async def restore(world: World, state: Document, server: SyndesisServer) -> None:
    """Put recorded objects back, each field by the manager that wrote it, under the uids that the server gives now."""
    text = json.dumps(state)
    for number, recorded in enumerate(state["objects"]):
        item = json.loads(text)["objects"][number]
        namespace, name = item["metadata"]["namespace"], item["metadata"]["name"]
        where = path(item["kind"], namespace, name)
        for entry in item["metadata"]["managedFields"]:
            document = project(item, entry["fieldsV1"])
            metadata = {**document.pop("metadata", {}), "namespace": namespace, "name": name}
            body = {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": metadata, **document}
            if entry.get("subresource") == "status":
                continue
            await world.kubectl.apply(where, body, manager=entry["manager"], force=True)
        if item["kind"] in WITH_STATUS and item.get("status"):
            manager = next(e["manager"] for e in recorded["metadata"]["managedFields"] if "f:status" in e["fieldsV1"])
            body = {
                "apiVersion": item["apiVersion"],
                "kind": item["kind"],
                "metadata": {"namespace": namespace, "name": name},
                "status": item["status"],
            }
            await world.kubectl.apply(f"{where}/status", body, manager=manager, force=True)
        stored = await world.kubectl.get(where)
        text = text.replace(recorded["metadata"]["uid"], stored["metadata"]["uid"])
    for connection in state["connections"]:
        server.put_stored(connection)


def project(document: Any, fields: Document) -> Any:
    """Return the part of a document that ``fieldsV1`` names."""
    if isinstance(document, list):
        keyed = [(json.loads(key[2:]), below) for key, below in fields.items() if key.startswith("k:")]
        if not keyed:
            return document
        return [
            {**project(item, below), **identity} if below else item
            for item in document
            for identity, below in keyed
            if all(item.get(key) == value for key, value in identity.items())
        ]
    part: Document = {}
    for key, below in fields.items():
        name = key[2:]
        if key.startswith("f:") and name in document and name not in SERVER_FIELDS:
            value = document[name]
            part[name] = project(value, below) if below and isinstance(value, (dict, list)) else value
    return part


def content(item: Document) -> Document:
    """Return what an object says, without what only the server writes."""
    metadata = {key: value for key, value in item["metadata"].items() if key not in SERVER_FIELDS}
    return {**item, "metadata": metadata}
