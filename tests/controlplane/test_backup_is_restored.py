"""A backup is restored: each pair has the credential that it had, in any order if the operator is stopped meanwhile.

While it runs, it would offer pairs, and take down those whose AddressSpace is not there yet, before the stored objects
are put back. The order of Velero works all the same: Secrets, then the other kinds by name.

A backup tool puts back names, labels, annotations and contents, and no uid, owner, finalizer or status
(``resetMetadata`` in pkg/restore/restore.go of Velero).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.errors import NotFound
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms import SimulatedEnMasse
from tests.support.documents import Document, decoded, path
from tests.support.world import World, integration_ref

KEPT = ("name", "namespace", "labels", "annotations")
ORDERS = {
    "by kind": ("Secret", "AddressSpace", "Connection", "Integration", "MessagingUser", "Syndesis"),
    "the reverse": ("Syndesis", "MessagingUser", "Integration", "Connection", "AddressSpace", "Secret"),
    "platforms first": ("AddressSpace", "Syndesis", "Integration", "Secret", "MessagingUser", "Connection"),
    "platforms last": ("Secret", "MessagingUser", "Connection", "Integration", "Syndesis", "AddressSpace"),
}


async def backup(world: World) -> dict[str, list[Document]]:
    """Return all objects by kind, as a backup tool stores them."""
    stored = {}
    for kind in ORDERS["by kind"]:
        version = path(kind).rpartition("/")[0].removeprefix("/apis/").removeprefix("/api/")
        stored[kind] = [
            {
                **{key: value for key, value in item.items() if kind == "AddressSpace" or key != "status"},
                "apiVersion": version,
                "kind": kind,
                "metadata": {key: item["metadata"][key] for key in KEPT if key in item["metadata"]},
            }
            for item in await world.items(kind)
        ]
    return stored


async def lose(world: World, stored: dict[str, list[Document]]) -> None:
    """Delete all objects, while the operator does not run."""
    for kind, items in stored.items():
        for item in items:
            ref = Ref(item["metadata"]["namespace"], item["metadata"]["name"])
            with suppress(NotFound):  # the garbage collector was faster
                await world.patch(kind, ref, {"metadata": {"finalizers": None}})
                await world.delete(kind, ref)

    async def nothing() -> bool:
        return not any([await world.items(kind) for kind in stored])

    await world.eventually("everything is lost", nothing)


def credential(secret: Document) -> tuple[str, str]:
    entries = decoded(secret)
    return entries["username"], entries["password"]


async def deliver_and_lose(world: World, across: bool) -> tuple[Pair, dict[str, list[Document]], Document]:
    """Deliver a pair and lose everything; return what a backup tool stored before, and the Secret."""
    async with world.platforms():
        async with world.operator():
            pair = await world.pair(across=across)
            children = await world.deliver(pair)
            await world.ready(integration_ref(pair))
            await world.audit.quiet()
        stored = await backup(world)
    await lose(world, stored)
    return pair, stored, children["Secret"]


async def put_back(world: World, stored: dict[str, list[Document]], order: tuple[str, ...]) -> None:
    """Create the stored objects, kind by kind, and wait after each until the operator is at rest."""
    for kind in order:
        for item in stored[kind]:
            await world.kubectl.post(path(kind, item["metadata"]["namespace"]), item)
        await world.audit.quiet()


async def check(world: World, enmasse: SimulatedEnMasse, pair: Pair, before: Document) -> None:
    """Check that a pair works, with the credential that it had, and that its objects have owners again."""
    await world.ready(integration_ref(pair))
    await world.audit.quiet()
    after = await world.children(pair)
    assert after["Secret"] is not None
    assert credential(after["Secret"]) == credential(before)
    assert logins(enmasse.logins, pair) == [credential(before)]
    for kind, document in after.items():
        assert document is not None
        owner = document["metadata"]["ownerReferences"][0]
        assert owner["kind"] == ("AddressSpace" if kind == "MessagingUser" else "Integration")
    assert len(await world.items("Integration")) == 1


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
async def test_while_the_operator_is_stopped(world: World, order: tuple[str, ...]) -> None:
    pair, stored, secret = await deliver_and_lose(world, across=True)
    async with world.platforms() as enmasse:
        await put_back(world, stored, order)
        async with world.operator():
            await check(world, enmasse, pair, secret)


@pytest.mark.parametrize("across", [False, True], ids=["one namespace", "two namespaces"])
async def test_by_velero_while_the_operator_runs(world: World, across: bool) -> None:
    pair, stored, secret = await deliver_and_lose(world, across)
    async with world.platforms() as enmasse, world.operator():
        await put_back(world, stored, ORDERS["by kind"])
        await check(world, enmasse, pair, secret)


def logins(known: dict[Any, str], pair: Pair) -> list[tuple[str, str]]:
    """Return who can log in to the AddressSpace of a pair."""
    return [(login.username, password) for login, password in known.items() if login.namespace == pair.space.namespace]
