"""Delete what a run has made, so that the next one finds nothing."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

from tests.support.documents import path
from tests.support.faults.admin import Admin, Document, Refused
from tests.support.faults.snapshot import read_objects, ref_of
from tests.support.faults.stage import Stage

KINDS = ("Integration", "MessagingUser", "Connection", "Secret", "Syndesis", "AddressSpace")
"""In this order: EnMasse deletes a login with its MessagingUser only while its AddressSpace exists."""

WITHIN = 30.0
POLL = 0.03


async def clean(stage: Stage) -> None:
    """Delete all objects in the run's namespaces, and wait until they are gone; ``sweep_up`` deletes the namespaces."""
    for kinds in (KINDS[:1], KINDS[1:]):
        deadline = time.monotonic() + WITHIN
        while left := await _left(stage, kinds):
            assert time.monotonic() < deadline, f"not deleted: {[ref_of(item) for _, item in left]}"
            await asyncio.gather(*(_delete(stage.admin, kind, item) for kind, item in left))
            await asyncio.sleep(POLL)


async def sweep_up(admin: Admin, namespaces: list[str]) -> None:
    """Delete namespaces, and wait until they are gone."""
    for namespace in namespaces:
        await admin.delete(f"/api/v1/namespaces/{namespace}")
    for namespace in namespaces:
        while await admin.get(f"/api/v1/namespaces/{namespace}") is not None:
            await asyncio.sleep(POLL)


async def _left(stage: Stage, kinds: tuple[str, ...]) -> list[tuple[str, Document]]:
    objects = await read_objects(stage.admin, stage.namespaces)
    left = [(kind, item) for kind in kinds for item in objects[kind]]
    users = [entry for entry in left if entry[0] == "MessagingUser"]
    return users or left


async def _delete(admin: Admin, kind: str, item: Document) -> None:
    at = path(kind, *ref_of(item))
    with suppress(Refused):
        if item["metadata"].get("finalizers") and kind == "Integration":
            await admin.patch(at, {"metadata": {"finalizers": None}})
        if "deletionTimestamp" not in item["metadata"]:
            await admin.delete(at)
