"""Threat: who may write Integrations and no Secrets has the operator carry a Secret's password out of the namespace.

To an AddressSpace of its own, where it may read MessagingUsers, and whose messaging host it chooses.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from integration_operator.api import names
from integration_operator.runtime.errors import Forbidden
from tests.support.documents import condition, encoded, path
from tests.support.scenes import Scene, scene
from tests.support.tenants import tenant
from tests.support.world import World

PASSWORD = "the receiver's own password"


async def leaked(world: World, on: Scene) -> bool:
    users = await world.items("MessagingUser", on.pair.space.namespace)
    return any(encoded(PASSWORD) in str(user["spec"]) for user in users)


async def test_an_editor_gets_no_password_by_an_address_space_of_its_own(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, tenant(world, "editor", on.ref.namespace, tmp_path) as editor:
        await on.bring("clerk", PASSWORD, release=False)
        with pytest.raises(Forbidden):
            await editor.get(path("Secret", on.ref.namespace, "byo"))
        on.receiver = editor
        async with world.operator(syndesis_url="http://127.0.0.1:9"):
            await on.ask(credentialsSecretRef={"name": "byo"})
            found = await on.said("SecretNotReleased")
            message = condition(found, "CredentialsReady")["message"]
            assert f"kubectl annotate secret byo -n {on.ref.namespace} {names.ADDRESS_SPACE_ANNOTATION}=" in message
            assert f"{on.pair.space.namespace}/{on.pair.space.name}" in message
            await on.change(delivery={"connection": "rest"})
            await on.change(credentialsSecretRef={"name": "byo", "usernameKey": "username", "passwordKey": "password"})
            await world.audit.quiet()
            assert not await leaked(world, on)
        async with world.operator():
            await world.audit.quiet()
            assert not await leaked(world, on)


async def test_the_receiver_releases_it_for_the_address_spaces_that_it_names(world: World, tmp_path: Path) -> None:
    async with scene(world, tmp_path) as on, world.operator():
        await on.bring("clerk", PASSWORD, release=False)
        await on.ask(credentialsSecretRef={"name": "byo"})
        await on.said("SecretNotReleased")
        secret = path("Secret", on.ref.namespace, "byo")
        for wrong in ("other/orders", on.pair.space.namespace, "*"):
            await on.receiver.patch(secret, {"metadata": {"annotations": {names.ADDRESS_SPACE_ANNOTATION: wrong}}})
            await asyncio.sleep(0.3)
            assert not await leaked(world, on)
        right = f"other/payments, {on.pair.space.namespace}/{on.pair.space.name}"
        await on.receiver.patch(secret, {"metadata": {"annotations": {names.ADDRESS_SPACE_ANNOTATION: right}}})
        await on.said("UserPending")
        assert await leaked(world, on)


async def test_within_one_namespace_nothing_is_carried_anywhere(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        labels = {"labels": {names.INTEGRATION_LABEL: "yes"}}
        data = {"username": encoded("clerk"), "password": encoded(PASSWORD)}
        await world.create("Secret", pair.syndesis.namespace, "byo", data=data, metadata=labels)
        offered = await world.offered(pair)
        ref = pair.syndesis._replace(name=offered["metadata"]["name"])
        spec = {"enabled": True, "credentialsSecretRef": {"name": "byo"}}
        await world.patch("Integration", ref, {"spec": spec})
        await world.has_reason(pair, "UserPending")
