"""Objects of others beside every run: at least two of each kind, so that a LIST can have pages, and none of a pair.

The operator must never change them. The Connections are where no Syndesis is, so that nothing else does either.
"""

from __future__ import annotations

import asyncio
from typing import Any

from tests.support.documents import encoded
from tests.support.faults.admin import Admin, Document
from tests.support.faults.expectation import Ref
from tests.support.faults.snapshot import read_objects
from tests.support.faults.stage import Stage
from tests.support.faults.traffic import BYSTANDERS

SETTLED = 0.5
"""Seconds without a change after which the platforms are done with them."""

NAMES = ("one", "two")


async def create(stage: Stage, kinds: frozenset[str]) -> dict[tuple[str, Ref], Document]:
    """Create them in a namespace of their own; return them as they are once the platforms are done with them."""
    spaces, fuse = await stage.namespace(BYSTANDERS), await stage.namespace(f"{BYSTANDERS}-fuse")
    for name in NAMES:
        for kind, ref, rest in _documents(spaces, fuse, name):
            if kind in kinds:
                await stage.create(kind, ref, **rest)
    return await _settled(stage.admin, stage.namespaces)


def _documents(spaces: str, fuse: str, name: str) -> list[tuple[str, Ref, dict[str, Any]]]:
    user = {"username": name, "authentication": {"type": "password", "password": encoded("of a bystander")}}
    login = {"metadata": {"labels": {"integreatly.org/integration": "yes"}}, "data": {"word": encoded(name)}}
    space = {"spec": {"type": "standard", "plan": "small", "authenticationService": {"name": "standard-authservice"}}}
    connection = {"spec": {"connectorId": "amqp", "configuredProperties": {"connectionUri": f"amqp://{name}:5672"}}}
    return [
        ("AuthenticationService", Ref(spaces, name), {"spec": {"type": "standard"}}),
        ("AddressSpace", Ref(spaces, name), space),
        ("MessagingUser", Ref(spaces, f"{name}.user"), {"spec": user}),
        ("Syndesis", Ref(f"{fuse}", name), {"spec": {}}),
        ("Secret", Ref(fuse, name), login),
        ("Connection", Ref(spaces, name), connection),
        ("Integration", Ref(fuse, name), {"spec": {"enabled": False}}),
    ]


async def _settled(admin: Admin, namespaces: list[str]) -> dict[tuple[str, Ref], Document]:
    """Return the objects once they have not changed for a while."""
    before: dict[str, list[Document]] = {}
    while True:
        now = await read_objects(admin, namespaces)
        if now == before:
            break
        before = now
        await asyncio.sleep(SETTLED)
    return {
        (kind, Ref(item["metadata"]["namespace"], item["metadata"]["name"])): item
        for kind, items in now.items()
        for item in items
    }
