"""The credential is stored before any other system sees it, and no other failure ever creates it again."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.credential import encode
from integration_operator.runtime.errors import Conflict
from tests.support.documents import decoded
from tests.support.permissions import without_permission
from tests.support.world import World


async def test_user_refused_then_restart(world: World) -> None:
    pair = await world.pair()
    async with without_permission(world, "user.enmasse.io", "messagingusers", but=("list", "watch")):
        async with world.operator(enable_new=True):
            await world.has_reason(pair, "Forbidden")
            secret = await world.get("Secret", naming.secret_ref(pair))
        assert secret is not None
        assert await world.get("MessagingUser", naming.user_ref(pair)) is None
    async with world.operator():
        found = await world.delivered(pair)
        assert decoded(found["Secret"]) == decoded(secret)


async def test_a_late_first_write_changes_no_password(world: World) -> None:
    """The first write of a process that was killed may be applied after that of the next process."""
    pair = await world.pair()
    async with world.operator(enable_new=True) as operator:
        found = await world.delivered(pair)
        document = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": found["Secret"]["metadata"],
            "data": {"username": encode("u"), "password": encode("of the process that was killed")},
        }
        kept = ("name", "namespace", "labels", "annotations", "ownerReferences")
        document["metadata"] = {key: document["metadata"][key] for key in kept}
        writer = operator.cache.writer("Secret", names.FIELD_MANAGER)
        with pytest.raises(Conflict):
            await writer.create(document)
        assert await world.get("Secret", naming.secret_ref(pair)) == found["Secret"]


async def test_a_secret_that_the_cache_does_not_show_is_read(world: World) -> None:
    """An earlier process created it, and neither a LIST nor the watch has shown it: the next pass finds it."""
    pair = await world.pair()
    async with world.operator(enable_new=True) as operator:
        found = await world.delivered(pair)
        secret, store = naming.secret_ref(pair), operator.cache.secrets
        store.record_delete(secret, found["Secret"]["metadata"]["uid"])
        store._deleted.clear()
        empty = {"apiVersion": "v1", "kind": "Secret", "metadata": secret._asdict()}
        with pytest.raises(Conflict):
            await operator.cache.writer("Secret", names.FIELD_MANAGER).create(empty)
        assert store.get(secret) is not None
        assert await world.get("Secret", secret) == found["Secret"]
        await world.has_reason(pair, "Stored", "CredentialsReady")


async def test_killed_at_any_moment(world: World) -> None:
    """SIGKILL again and again while many pairs are made: each ends with the one credential that it began with."""
    namespace = await world.namespace("shop")
    await world.syndesis(namespace)
    for number in range(30):
        await world.space(namespace, f"space-{number}")
    command = [sys.executable, "-m", "integration_operator", "run", "--enable-new", "--log-level", "error"]
    command += ["--kubeconfig", str(world.control_plane.kubeconfig("operator")), "--probe-port", "0"]
    command += ["--metrics-port", "0"]
    seen: dict[str, set[str]] = {}

    async def note() -> None:
        for secret in await world.items("Secret", namespace):
            seen.setdefault(secret["metadata"]["name"], set()).add(secret["data"]["password"])

    for _ in range(4):
        before = len(await world.items("Secret", namespace))
        process = subprocess.Popen(command)

        async def progress(before: int = before) -> Any:
            return (
                len(await world.items("Secret", namespace)) > before
                or len(await world.items("Connection", namespace)) == 30
            )

        await world.eventually("it has begun", progress, within=20, every=0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        await note()
    async with world.operator(enable_new=True):

        async def all_there() -> bool:
            return len(await world.items("Connection", namespace)) == 30

        await world.eventually("all are delivered", all_there, within=30)
        await asyncio.sleep(0.5)
        await note()
        assert len(seen) == 30
        assert all(len(passwords) == 1 for passwords in seen.values())
        by_user = {u["spec"]["username"]: u for u in await world.items("MessagingUser", namespace)}
        users = {u["metadata"]["name"].partition(".")[0]: u for u in await world.items("MessagingUser", namespace)}
        assert len(by_user) == 1, "one Syndesis, so one user name, in thirty AddressSpaces"
        for secret in await world.items("Secret", namespace):
            space = secret["metadata"]["annotations"]["integreatly.org/address-space"].partition("/")[2]
            assert users[space]["spec"]["authentication"]["password"] == secret["data"]["password"]
