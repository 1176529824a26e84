"""The simulated EnMasse deletes a user as slowly as the real one, and reports lost attributes as late."""

from __future__ import annotations

import base64
import time

from integration_operator.domain.model import naming
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms import Login
from integration_operator_sandbox.platforms.enmasse import FINALIZER
from tests.support.documents import condition
from tests.support.world import World


async def test_a_user_that_is_deleted_is_terminating_for_a_while_and_can_log_in_meanwhile(world: World) -> None:
    async with world.platforms(deletion=(1.0, 1.0)) as enmasse, world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        login = Login(pair.space.namespace, pair.space.name, naming.username(pair))

        async def made() -> bool:
            return login in enmasse.logins

        await world.eventually("the user can log in", made)
        began = time.monotonic()
        await world.delete("MessagingUser", naming.user_ref(pair))

        async def terminating() -> object:
            user = await world.get("MessagingUser", naming.user_ref(pair))
            return user if user and (user.get("status") or {}).get("phase") == "Terminating" else None

        user = await world.eventually("it is Terminating", terminating)
        assert user["metadata"]["finalizers"] == [FINALIZER]
        assert login in enmasse.logins

        async def another() -> object:
            found = await world.get("MessagingUser", naming.user_ref(pair))
            return found is not None and found["metadata"]["uid"] != user["metadata"]["uid"]

        await world.eventually("the operator creates it again", another)
        assert time.monotonic() - began >= 0.9


async def test_an_address_space_that_is_made_anew_has_a_realm_without_earlier_logins(world: World) -> None:
    async with world.platforms(realm_kept=30.0, deletion=(1.0, 1.0)) as enmasse:
        namespace = await world.namespace("shop")
        space, login = Ref(namespace, "orders"), Login(namespace, "orders", "alice")
        await world.space(*space)
        user = Ref(namespace, "orders.alice")
        authentication = {"type": "password", "password": base64.b64encode(b"secret").decode()}
        await world.create("MessagingUser", *user, spec={"username": "alice", "authentication": authentication})

        async def logs_in() -> bool:
            return login in enmasse.logins

        await world.eventually("the user can log in", logs_in)
        await world.delete("AddressSpace", space)
        await world.delete("MessagingUser", user)

        async def gone() -> bool:
            return await world.get("MessagingUser", user) is None

        await world.eventually("the MessagingUser is gone", gone)
        assert login in enmasse.logins
        await world.space(*space)

        async def cannot_log_in() -> bool:
            return login not in enmasse.logins

        await world.eventually("the user cannot log in", cannot_log_in)


async def test_a_user_that_is_active_may_get_a_message_later_and_ready_turns_false(world: World) -> None:
    async with world.platforms(late_message=1.0) as enmasse, world.operator():
        pair = await world.pair()
        enmasse.drops_attributes.add(f"{pair.space.namespace}-{pair.space.name}")
        await world.deliver(pair)
        await world.has_reason(pair, "UserActive", "UserReady")
        found = await world.has_reason(pair, "UserFailed", "UserReady")
        assert condition(found, "Ready")["status"] == "False"
        assert "Unable to find user attribute resourceName" in condition(found, "UserReady")["message"]
